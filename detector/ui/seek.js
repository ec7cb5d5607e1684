// A button with `data-second` seeks the viewer (viewer.js) to that moment, and selects that person.
element.addEventListener('click', (event) => {
  const mark = event.target.closest('button[data-second]');
  if (!mark) return;
  const detail = { second: Number(mark.dataset.second), person: Number(mark.dataset.person) };
  document.dispatchEvent(new CustomEvent('viewer-go', { detail }));
});
