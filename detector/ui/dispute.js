// The form of dispute.html becomes a file on the visitor's own machine; nothing is sent.
element.addEventListener('submit', (event) => {
  event.preventDefault();
  const form = event.target;
  const facts = JSON.parse(form.dataset.facts);
  const claim = { claim: form.elements.claim.value, note: form.elements.note.value.trim() };
  const text = JSON.stringify({ ...facts, visitor: claim }, null, 2);
  const link = document.createElement('a');
  link.href = URL.createObjectURL(new Blob([text], { type: 'application/json' }));
  link.download = `wrong-answer-${facts.video.sha256.slice(0, 12) || 'file'}.json`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  const status = form.querySelector('[role=status]');
  status.textContent = status.dataset.saved.replace('{file}', link.download);
});
