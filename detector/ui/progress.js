// A button that begins something long leads to where its progress is shown, if that is off the screen.
const PROGRESS = { 'batch-start': 'batch-queue', 'compare-start': 'comparison', 'verify-start': 'verification' };
const SETTLED = 500; // ms in which the first step comes and moves what is below it

document.addEventListener('click', ({ target }) => {
  const place = document.getElementById(PROGRESS[target.closest('button')?.id]);
  if (!place) return;
  setTimeout(() => {
    const { top } = place.getBoundingClientRect();
    if (top < 0 || top > innerHeight - 100) place.scrollIntoView();
  }, SETTLED);
});
