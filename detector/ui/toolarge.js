// A file over the limit is reported when it is chosen or dropped, and not sent: Gradio would only
// say "Error". This script is preceded by `most`, in bytes, and `words` (chosen.js).
const megabytes = (bytes) => (bytes / 2 ** 20).toFixed(0);

function refuse(event) {
  const files = event.type === 'drop' ? event.dataTransfer?.files : event.target.type === 'file' && event.target.files;
  if (!files?.length) return;
  const message = element.querySelector('#too-large'); // anew: it is another one in another language
  const large = [...files].find((file) => file.size > most);
  message.hidden = !large;
  if (!large) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  if (event.type === 'change') event.target.value = '';
  const values = { file: large.name, size: megabytes(large.size), most: megabytes(most) };
  message.textContent = words.too_large.replace(/\{(\w+)\}/g, (_, place) => values[place]);
}

for (const kind of ['change', 'drop']) document.addEventListener(kind, refuse, true);
