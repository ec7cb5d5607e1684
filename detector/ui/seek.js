// The timeline seeks the player: click or tap a moment, or walk through the scored frames by keys.
// Left/Right: previous/next scored frame. Home/End: first/last. N: next suspicious stretch.
const player = () => document.querySelector('#player video');
const moments = () => [...new Set([...element.querySelectorAll('[data-second]')]
  .map((mark) => Number(mark.dataset.second)))].sort((a, b) => a - b);
const suspicious = () => [...element.querySelectorAll('.stretch[data-second]')]
  .map((mark) => Number(mark.dataset.second)).sort((a, b) => a - b);

function seek(second) {
  const video = player();
  if (!video || !Number.isFinite(second)) return;
  video.currentTime = Math.max(second, 0);
  show(second);
}

function show(second) {
  const svg = element.querySelector('svg[data-seconds]');
  const cursor = element.querySelector('.playhead');
  if (!svg || !cursor) return;
  const { x0, x1, seconds } = svg.dataset;
  const share = Math.min(Math.max(second / Number(seconds), 0), 1);
  const x = Number(x0) + share * (Number(x1) - Number(x0));
  cursor.setAttribute('x1', x);
  cursor.setAttribute('x2', x);
  cursor.style.opacity = 1;
}

function pointed(event) {
  const svg = event.target.closest('svg[data-seconds]');
  if (!svg) return NaN;
  const box = svg.getBoundingClientRect();
  const x = (event.clientX - box.left) / box.width * svg.viewBox.baseVal.width;
  const { x0, x1, seconds } = svg.dataset;
  return (x - Number(x0)) / (Number(x1) - Number(x0)) * Number(seconds);
}

element.addEventListener('click', (event) => {
  const mark = event.target.closest('[data-second]');
  seek(mark ? Number(mark.dataset.second) : pointed(event));
});

element.addEventListener('keydown', (event) => {
  const video = player();
  if (!video) return;
  const now = video.currentTime, all = moments(), slack = 0.005;
  const next = (list) => list.find((second) => second > now + slack);
  const target = {
    ArrowRight: () => next(all) ?? all.at(-1),
    ArrowLeft: () => all.findLast((second) => second < now - slack) ?? all[0],
    Home: () => all[0],
    End: () => all.at(-1),
    n: () => next(suspicious()) ?? suspicious()[0],
    N: () => next(suspicious()) ?? suspicious()[0],
  }[event.key];
  if (!target) return;
  event.preventDefault();
  seek(target());
});

// The cursor follows the playing video; the player may be replaced at any time.
setInterval(() => {
  const video = player();
  if (video && !video.paused) show(video.currentTime);
}, 100);
