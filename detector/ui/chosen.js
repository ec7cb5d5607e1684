// The language of the page. This script is preceded by `cookie`, the name of the cookie with the
// visitor's choice, and `translations`, the texts of the masthead's scripts, by language.
const words = navigator.languages.map((name) => translations[name.split('-')[0]]).find(Boolean) ?? translations.en;
document.title = words.title;

// The server reads the cookie. Within another site's frame only a partitioned one is kept.
element.addEventListener('change', (event) => {
  if (!event.target.matches('.language select')) return;
  const scope = location.protocol === 'https:' ? 'SameSite=None; Secure; Partitioned' : 'SameSite=Lax';
  document.cookie = `${cookie}=${event.target.value}; Path=/; Max-Age=31536000; ${scope}`;
  location.reload();
});
