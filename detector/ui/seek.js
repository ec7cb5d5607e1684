// Marks with `data-second` seek the player: by click, or by keys while they or the chart have
// focus. Left/Right: previous/next judged frame. Home/End: first/last. N: next suspicious stretch.
const SLACK = 0.005; // seconds; the player rounds the time it is set to
const player = () => document.querySelector('#player video');
const chart = () => [...element.querySelectorAll('svg.live')].find((svg) => svg.clientWidth > 0);

function moments(selector) {
  const marks = (chart() ?? element).querySelectorAll(selector);
  return [...new Set([...marks].map((mark) => Number(mark.dataset.second)))].sort((a, b) => a - b);
}

function show(second) {
  const svg = chart();
  const line = svg?.querySelector('.playhead');
  if (!line) return;
  const [x0, x1, seconds] = [svg.dataset.x0, svg.dataset.x1, svg.dataset.seconds].map(Number);
  const x = x0 + Math.min(Math.max(second / seconds, 0), 1) * (x1 - x0);
  line.setAttribute('x1', x);
  line.setAttribute('x2', x);
  line.style.opacity = 1;
}

function seek(second) {
  const video = player();
  if (!video || !Number.isFinite(second)) return;
  video.currentTime = Math.max(second, 0);
  show(second);
}

// The second under the pointer, where the chart itself and no mark was hit.
function pointed(event) {
  const svg = event.target.closest('svg.live');
  if (!svg) return NaN;
  const box = svg.getBoundingClientRect();
  const [x0, x1, seconds] = [svg.dataset.x0, svg.dataset.x1, svg.dataset.seconds].map(Number);
  const x = (event.clientX - box.left) / box.width * svg.viewBox.baseVal.width;
  return Math.min(Math.max((x - x0) / (x1 - x0), 0), 1) * seconds;
}

function target(event, now) {
  const mark = event.target.closest('[data-second]');
  if (mark && (event.key === 'Enter' || event.key === ' ')) return Number(mark.dataset.second);
  if (!event.target.closest('svg.live')) return undefined;
  const all = moments('.point');
  const after = (list) => list.find((second) => second > now + SLACK);
  switch (event.key) {
    case 'ArrowRight': return after(all) ?? all.at(-1);
    case 'ArrowLeft': return all.findLast((second) => second < now - SLACK) ?? all[0];
    case 'Home': return all[0];
    case 'End': return all.at(-1);
    case 'n':
    case 'N': return after(moments('.stretch')) ?? moments('.stretch')[0];
    default: return undefined;
  }
}

element.addEventListener('click', (event) => {
  const mark = event.target.closest('[data-second]');
  // A stretch lies under the whole curve: the pointer means its own place, a key the stretch.
  const place = mark?.classList.contains('stretch') && event.detail > 0;
  seek(mark && !place ? Number(mark.dataset.second) : pointed(event));
});

element.addEventListener('keydown', (event) => {
  const second = target(event, player()?.currentTime ?? 0);
  if (second === undefined) return;
  event.preventDefault();
  seek(second);
});

// The line follows the player, which is replaced when the annotated video is ready.
for (const kind of ['timeupdate', 'seeked']) {
  document.addEventListener(kind, (event) => {
    if (event.target === player()) show(event.target.currentTime);
  }, true);
}
