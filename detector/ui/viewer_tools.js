// Follows viewer.js: speed, zoom, full screen, the list of keys, and saving the picture that is shown.
const SPEEDS = ['1', '0.5', '0.25'];
const ZOOMS = ['1', '2', '4', 'face'];
const FACE_SHARE = 0.55; // of the stage's shorter side that a followed face takes
const stage = part('stage');
const sheet = part('sheet');
const view = { x: 0.5, y: 0.5, scale: 1 }; // the middle of what is shown, in shares of the picture
let pan = null; // where a drag began
let moved = false; // whether it was more than a click

// --- Speed

function cycle(name, values) {
  const select = part(name);
  select.value = values[(values.indexOf(select.value) + 1) % values.length];
  select.dispatchEvent(new Event('change'));
}

function speed() {
  const rate = Number(part('speed').value);
  for (const video of [plain, heat]) {
    video.defaultPlaybackRate = rate; // else a new file would begin at the old speed
    video.playbackRate = rate;
  }
}

function stepFrame(back) {
  seek(at + (back ? -1 : 1) * data.frame_length);
}

// --- Zoom

// Called whenever a moment is painted: a followed face moves.
function zoomed() {
  const mode = part('zoom').value;
  if (mode === 'face') followFace();
  else view.scale = Number(mode);
  const half = 0.5 / view.scale;
  for (const side of ['x', 'y']) view[side] = Math.min(Math.max(view[side], half), 1 - half);
  const [x, y] = [0.5 - view.x * view.scale, 0.5 - view.y * view.scale].map((share) => 100 * share);
  sheet.style.transform = view.scale === 1 ? '' : `translate(${x}%, ${y}%) scale(${view.scale})`;
  sheet.style.setProperty('--zoom', view.scale);
  stage.classList.toggle('is-zoomed', view.scale > 1);
}

function followFace() {
  const found = person() && boxAt(person(), at);
  if (!found) return; // away: what was shown last stays
  const [x0, y0, x1, y1] = found.box;
  const [wide, high] = data.size;
  const side = Math.max((x1 - x0) * wide, (y1 - y0) * high, 1);
  view.scale = Math.min(Math.max(FACE_SHARE * Math.min(wide, high) / side, 1), 12);
  Object.assign(view, { x: (x0 + x1) / 2, y: (y0 + y1) / 2 });
}

// A fixed zoom begins at the face of the chosen person, and stays where it is moved.
function zoom() {
  const found = data && person() && boxAt(person(), at);
  if (found && view.scale === 1) {
    const [x0, y0, x1, y1] = found.box;
    Object.assign(view, { x: (x0 + x1) / 2, y: (y0 + y1) / 2 });
  }
  zoomed();
}

function shift(x, y) {
  view.x += x / view.scale;
  view.y += y / view.scale;
  zoomed();
}

stage.addEventListener('pointerdown', (event) => {
  moved = false;
  if (view.scale === 1 || part('zoom').value === 'face' || event.button) return;
  pan = [event.clientX, event.clientY];
  stage.setPointerCapture(event.pointerId);
});
stage.addEventListener('pointermove', (event) => {
  if (!pan) return;
  const [x, y] = [event.clientX - pan[0], event.clientY - pan[1]];
  if (!moved && Math.hypot(x, y) < 5) return;
  moved = true;
  pan = [event.clientX, event.clientY];
  shift(-x / stage.clientWidth, -y / stage.clientHeight);
});
for (const kind of ['pointerup', 'pointercancel']) stage.addEventListener(kind, () => { pan = null; });
stage.addEventListener('click', () => data && !data.picture && !moved && play());

// --- Full screen

function fullScreen() {
  if (document.fullscreenElement) document.exitFullscreen();
  else part('screen').requestFullscreen();
}

document.addEventListener('fullscreenchange', () => {
  const on = document.fullscreenElement === part('screen');
  part('full').classList.toggle('is-on', on);
  label(part('full'), on ? words.leave_full : words.full);
});
part('full').hidden = !document.fullscreenEnabled;

// --- Keys

// Of a still picture only those of the second list.
const OF_VIDEO = [
  [['←', '→'], 'key_step'], [[',', '.'], 'key_frame'], [[words.home, words.end], 'key_ends'], [['N'], 'key_next'],
  [[words.space], 'key_play'], [['S'], 'speed'],
];
const LISTED = [
  [['Z'], 'zoom'], [[words.shift, '← ↑ → ↓'], 'key_pan'], [['F'], 'full'],
  [['P'], 'save'], [['O'], 'save_overlay'], [['?'], 'keys'],
];

function keys() {
  const listed = data.picture ? LISTED : [...OF_VIDEO, ...LISTED];
  part('keys-list').replaceChildren(...listed.flatMap(([names, word]) => [
    make('dt', {}, ...names.map((name) => make('kbd', {}, name))), make('dd', {}, words[word]),
  ]));
  part('keys').showModal();
}

const LETTERS = {
  ',': () => stepFrame(true),
  '.': () => stepFrame(false),
  n: nextStretch,
  s: () => cycle('speed', SPEEDS),
};
const ALWAYS = {
  z: () => cycle('zoom', ZOOMS),
  f: fullScreen,
  p: () => save(false),
  o: () => save(true),
  '?': keys,
};
const PANS = { ArrowLeft: [-0.1, 0], ArrowRight: [0.1, 0], ArrowUp: [0, -0.1], ArrowDown: [0, 0.1] };

// Letters work wherever the focus is in the viewer; arrows only where nothing else needs them.
viewer.addEventListener('keydown', (event) => {
  if (!data || event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest('select, dialog')) return;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const pans = event.shiftKey && view.scale > 1 && !event.target.closest('input') && PANS[key];
  const act = pans ? () => shift(...pans) : ALWAYS[key] ?? (data.picture ? null : LETTERS[key]);
  if (!act) return;
  event.preventDefault();
  if (act === LETTERS[','] || act === LETTERS['.'] || act === nextStretch) plain.pause();
  act();
});

// --- Saving a frame

// The server reads the frame of this moment from the original, which is larger and sharper than
// what is shown; where it cannot, or not soon, what is shown is saved, and its size stated.
const PATIENCE = 20_000; // milliseconds; also where the server is gone
let ticket = 0; // of the frame that is awaited

function drawn(source, wide, high, act = () => {}) {
  const canvas = make('canvas', { width: wide, height: high });
  const context = canvas.getContext('2d');
  if (source) context.drawImage(source, 0, 0, wide, high);
  act(context, wide, high);
  return canvas;
}

// Both canvases are filled now: the visitor may move on before the original is there.
function save(overlaid) {
  const source = data.picture ? part('plain-picture') : plain;
  const [wide, high] = [source.videoWidth || source.naturalWidth, source.videoHeight || source.naturalHeight];
  if (!wide) return;
  const layer = overlaid ? overlay : undefined;
  const shown = drawn(source, wide, high, layer);
  const whole = data.size;
  const over = drawn(null, ...whole, layer);
  const [minutes, rest] = [Math.floor(at / 60), (at % 60).toFixed(2).padStart(5, '0')];
  const when = data.picture ? '' : `-${minutes}m${rest}s`;
  const name = `${data.file}${when}${overlaid ? '-overlay' : ''}.png`;
  ticket += 1;
  const mine = ticket;
  part('saved-size').textContent = `${words.saving} …`;
  const laid = (picture) => drawn(picture, ...whole, (context) => context.drawImage(over, 0, 0));
  original(mine).then((picture) => download(laid(picture), name, whole)).catch(() => download(shown, name, whole));
  trigger('download', { ticket: mine, second: at });
}

function original(mine) {
  const over = new AbortController();
  const frame = new Promise((found, failed) => {
    setTimeout(failed, PATIENCE);
    document.addEventListener('viewer-frame', ({ detail }) => {
      if (detail?.ticket !== mine) return;
      if (!detail.file) failed();
      const picture = new Image();
      picture.onload = () => found(picture);
      picture.onerror = failed;
      if (detail.file) picture.src = detail.file.url;
    }, { signal: over.signal });
  });
  return frame.finally(() => over.abort());
}

async function download(canvas, name, whole) {
  const blob = await new Promise((made) => { canvas.toBlob(made); });
  if (!blob) throw new Error('this browser makes no picture of that size');
  const link = make('a', { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  const reduced = canvas.width < whole[0] ? ` (${words.reduced} ${whole.join(' × ')})` : '';
  const size = `${canvas.width} × ${canvas.height}${reduced}`;
  part('saved-size').textContent = size;
  part('saved').textContent = `${words.saved} ${name}, ${size}`;
}

// Heat, boxes and names as they are shown, in the pixels of the picture that is saved.
function overlay(context, wide, high) {
  const warm = data.picture ? part('heat-picture') : heat;
  if (data.heat && (warm.videoWidth || warm.naturalWidth)) {
    context.globalAlpha = part('opacity').value / 100;
    context.drawImage(warm, 0, 0, wide, high);
    context.globalAlpha = 1;
  }
  const line = Math.max(2, Math.round(Math.max(wide, high) / 400));
  context.lineWidth = line;
  context.font = `600 ${Math.max(12, line * 6)}px system-ui, sans-serif`;
  context.textBaseline = 'middle';
  for (const box of part('boxes').children) {
    const [x, y, w, h] = ['left', 'top', 'width', 'height']
      .map((side, k) => parseFloat(box.style[side]) / 100 * (k % 2 ? high : wide));
    const text = box.dataset.text;
    const tall = Math.max(18, line * 9);
    const length = context.measureText(text).width + tall / 2;
    const left = Math.max(0, Math.min(x, wide - length));
    const top = y >= tall ? y - tall : y;
    context.strokeStyle = context.fillStyle = getComputedStyle(box).borderTopColor;
    context.setLineDash(box.classList.contains('guessed') ? [line * 4, line * 3] : []);
    context.strokeRect(x, y, w, h);
    context.fillRect(left, top, length, tall);
    context.fillStyle = '#fff';
    context.fillText(text, left + tall / 4, top + tall / 2);
  }
}

part('speed').addEventListener('change', speed);
part('zoom').addEventListener('change', zoom);
part('full').addEventListener('click', fullScreen);
part('show-keys').addEventListener('click', keys);
part('keys-close').addEventListener('click', () => part('keys').close());
part('keys').addEventListener('click', (event) => event.target === part('keys') && part('keys').close());
part('save').addEventListener('click', () => save(false));
part('save-overlay').addEventListener('click', () => save(true));

watch('value', show);
show();
