// Draws `props.value`, a ViewerData, and lets a visitor move through it. Values of the server
// enter the page as text; only its charts, SVG that it escaped itself, are parsed. Before this
// script stands `translations`: all texts of the viewer itself, in every language.
const words = navigator.languages.map((name) => translations[name.split('-')[0]]).find(Boolean) ?? translations.en;
const BEHIND = 0.001; // seconds: a time that lies just inside its frame, however it is rounded
const SNAP = 9; // pixels around a scored frame in which a click selects that frame
const part = (name) => element.querySelector(`[data-part="${name}"]`);
const viewer = part('viewer');
const plain = part('plain');
const heat = part('heat');
const timeline = part('timeline');
const boxless = new Set(); // people whose box is switched off

let data = null;
let chosen = 0; // the person who is inspected, and whose frames the keys walk through
let at = 0; // the second that is shown
let navigated = false; // whether the visitor has chosen a moment or a person yet
let dragging = false;

// --- Small tools

function make(tag, attributes = {}, ...children) {
  const svg = tag === 'svg' || tag === 'line';
  const made = svg ? document.createElementNS('http://www.w3.org/2000/svg', tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

function button(text, attributes, act) {
  const made = make('button', { type: 'button', ...attributes }, ...[text].flat());
  made.addEventListener('click', act);
  return made;
}

function clock(second) {
  const tenths = Math.round(Math.max(second, 0) * 10);
  const [minutes, rest] = [Math.floor(tenths / 600), tenths % 600];
  return `${minutes}:${String(Math.floor(rest / 10)).padStart(2, '0')}.${rest % 10}`;
}

const nearest = (list, second) =>
  list.reduce((best, one) => (!best || Math.abs(one.second - second) < Math.abs(best.second - second) ? one : best), null);
const person = (id = chosen) => data.people.find((one) => one.id === id);
// Colour is kept for the verdict; people differ by dash and number.
const tone = (one) => `var(--${!one || one.verdict === 'none' ? 'undecided' : one.verdict})`;
const frames = () => person()?.frames ?? [];
const same = (a, b) => Math.abs(a - b) < data.frame_length / 2 + 1e-6;
const inside = (second) => Math.min(Math.max(second, 0), data.seconds);

function label(node, text) {
  node.setAttribute('aria-label', text);
  node.title = text;
}

// --- Moving

function seek(second) {
  if (!data || !Number.isFinite(second)) return;
  navigated = true;
  at = inside(second);
  for (const video of [plain, heat]) if (video.readyState > 0) video.currentTime = at + BEHIND;
  paint();
}

function choose(id) {
  if (!person(id)) return;
  chosen = id;
  for (const chip of part('chips').querySelectorAll('.who')) {
    chip.setAttribute('aria-pressed', String(Number(chip.dataset.person) === chosen));
  }
  emphasise();
  paint();
}

function step(back) {
  const list = frames();
  const beyond = (one) => (back ? one.second < at - 0.005 : one.second > at + 0.005);
  seek(((back ? list.findLast(beyond) : list.find(beyond)) ?? list.at(back ? 0 : -1))?.second);
}

function nextStretch() {
  const next = data.stretches.find((one) => one.moment > at + 0.005) ?? data.stretches[0];
  if (next) go(next.moment, next.person);
}

function go(second, id) {
  if (id) choose(id);
  seek(second);
}

function play() {
  navigated = true;
  if (plain.paused) plain.play();
  else plain.pause();
}

// The heat map's video follows the plain one: it seeks when it is far off, and plays a little
// faster or slower when it is nearly in sync.
function follow() {
  if (!heat.src || heat.seeking || plain.seeking) return;
  const ahead = heat.currentTime - plain.currentTime;
  if (Math.abs(ahead) > 0.2) heat.currentTime = plain.currentTime;
  const rate = plain.playbackRate;
  heat.playbackRate = plain.paused || Math.abs(ahead) < 0.012 ? rate : rate * (ahead > 0 ? 0.9 : 1.1);
}

plain.addEventListener('play', () => { heat.currentTime = plain.currentTime; if (heat.src) heat.play(); playing(); });
plain.addEventListener('pause', () => { heat.pause(); heat.currentTime = plain.currentTime; playing(); });
plain.addEventListener('ended', playing);

function playing() {
  part('play').classList.toggle('is-on', !plain.paused);
  label(part('play'), plain.paused ? words.play : words.pause);
}

function onFrame(video, act) {
  const again = (_, shown) => { act(shown.mediaTime); video.requestVideoFrameCallback(again); };
  if (video.requestVideoFrameCallback) video.requestVideoFrameCallback(again);
  else for (const kind of ['timeupdate', 'seeked']) video.addEventListener(kind, () => act(video.currentTime));
}

onFrame(plain, (second) => {
  if (!data) return;
  if (!plain.paused && !plain.seeking) at = inside(second);
  follow();
  paint();
});
onFrame(heat, () => data && crop(part('warm'), heat));
for (const video of [plain, heat]) {
  // A seek within the frame that is shown brings no new frame, and so no call of the above.
  for (const kind of ['seeked', 'loadeddata']) video.addEventListener(kind, paint);
  video.addEventListener('loadedmetadata', () => {
    if (at > 0) video.currentTime = at + BEHIND;
    if (video === heat && !plain.paused) heat.play();
  });
}

// --- Painting what belongs to the second `at`

function paint() {
  if (!data) return;
  Object.assign(viewer.dataset, { person: chosen, second: at }); // for tests and other scripts
  const x = across(at);
  for (const line of part('chart').querySelectorAll('.playhead')) {
    line.setAttribute('x1', x);
    line.setAttribute('x2', x);
    line.style.opacity = 1;
  }
  part('clock').textContent = data.picture ? '' : `${clock(at)} / ${clock(data.seconds)}`;
  timeline.setAttribute('aria-valuenow', at.toFixed(2));
  timeline.setAttribute('aria-valuetext', scoresAt(at));
  boxes();
  zoomed();
  inspect();
  for (const one of part('stretches').querySelectorAll('button')) {
    const here = at >= Number(one.dataset.start) - 1e-6 && at <= Number(one.dataset.end) + 1e-6;
    one.classList.toggle('here', here);
  }
}

// The scores of the frame at this second, of everyone in it, as text.
function scoresAt(second) {
  const seen = data.people.flatMap((one) => {
    const frame = nearest(one.frames, second);
    return frame && same(frame.second, second) ? [`${one.name} ${frame.text}`] : [];
  });
  return [clock(second), ...(seen.length ? seen : [words.between])].join(' · ');
}

// [x0, y0, x1, y1] as shares of the picture, and whether it is sure; null where it is unknown.
function boxAt(one, second) {
  for (const run of one.boxes) {
    if (second < run[0][0] - data.frame_length / 2 || second > run.at(-1)[0] + data.frame_length / 2) continue;
    const after = run.findIndex((knot) => knot[0] >= second);
    const b = run[after < 0 ? run.length - 1 : after];
    const a = run[Math.max(0, (after < 0 ? run.length : after) - 1)];
    const share = b[0] > a[0] ? Math.min((second - a[0]) / (b[0] - a[0]), 1) : 0;
    const box = [1, 2, 3, 4].map((k) => a[k] + (b[k] - a[k]) * share);
    return { box, sure: Boolean(a[5]) || one.frames.some((frame) => same(frame.second, second)) };
  }
  return null;
}

function boxes() {
  const drawn = data.people.filter((one) => !boxless.has(one.id)).flatMap((one) => {
    const found = boxAt(one, at);
    if (!found) return [];
    const [x0, y0, x1, y1] = found.box.map((share) => 100 * Math.min(Math.max(share, 0), 1));
    const frame = nearest(one.frames, at);
    const plate = make('span', {}, ...(frame ? [make('b', {}, one.name), make('b', { class: 'short' }, one.id), frame.text] : [one.name]));
    const made = make('div', { class: `box${found.sure ? '' : ' guessed'}${y0 < 9 ? ' low' : ''}${x0 + x1 > 120 ? ' right' : ''}` }, plate);
    made.dataset.text = frame ? `${one.name} · ${frame.text}` : one.name; // for a saved picture
    Object.assign(made.style, { left: `${x0}%`, top: `${y0}%`, width: `${x1 - x0}%`, height: `${y1 - y0}%` });
    made.style.setProperty('--own', tone(one));
    return [made];
  });
  part('boxes').replaceChildren(...drawn);
}

function inspect() {
  const one = person();
  if (!one) return;
  const frame = nearest(one.frames, at);
  const scored = frame && (data.picture || same(frame.second, at));
  const state = scored ? frame.text : boxAt(one, at) ? words.between : words.away;
  const when = data.picture ? '' : ` · ${clock(at)}`;
  part('which').replaceChildren(make('b', {}, one.name), `${when} · ${state}`);
  part('inspector').style.setProperty('--own', tone(one));
  crop(part('crop'), data.picture ? part('plain-picture') : plain);
  crop(part('warm'), data.picture ? part('heat-picture') : heat);
  neighbours(one);
}

// The network's crop at `at`; between scored frames, a square around the box.
function square(one) {
  const frame = nearest(one.frames, at);
  if (frame && (data.picture || same(frame.second, at))) return frame.square;
  const found = boxAt(one, at);
  if (!found || !frame) return null;
  const [x0, y0, x1, y1] = found.box;
  return [(x0 + x1 - frame.square[2]) / 2, (y0 + y1 - frame.square[3]) / 2, frame.square[2], frame.square[3]];
}

function crop(canvas, source) {
  const context = canvas.getContext('2d');
  const one = person();
  const place = one && square(one);
  const [wide, high] = [source.videoWidth || source.naturalWidth, source.videoHeight || source.naturalHeight];
  if (source.readyState < 2) return; // on its way: what is shown stays until then
  context.clearRect(0, 0, canvas.width, canvas.height);
  if (!place || !wide) return;
  const [x, y, w, h] = [place[0] * wide, place[1] * high, place[2] * wide, place[3] * high];
  context.drawImage(source, x, y, w, h, 0, 0, canvas.width, canvas.height);
}

function neighbours(one) {
  const before = one.frames.findLast((frame) => frame.second < at - data.frame_length / 2);
  const after = one.frames.find((frame) => frame.second > at + data.frame_length / 2);
  const shown = [[before, '‹'], [after, '›']].map(([frame, sign]) => {
    if (!frame) return make('span');
    const text = `${clock(frame.second)} · ${frame.text}`;
    return button(frame === before ? `${sign} ${text}` : `${text} ${sign}`, {}, () => seek(frame.second));
  });
  const kept = [...part('neighbours').children].map((node) => node.textContent);
  const focused = [...part('neighbours').children].indexOf(document.activeElement);
  if (kept.length && shown.every((node, k) => node.textContent === kept[k])) return;
  part('neighbours').replaceChildren(...shown);
  if (focused >= 0) shown[focused].focus();
}

// --- The chart

const chart = () => part('chart').querySelector('svg');

function scale() {
  const { x0, x1, seconds } = chart().dataset;
  return [x0, x1, seconds].map(Number);
}

function across(second) {
  if (!chart()?.dataset.seconds) return 0;
  const [x0, x1, seconds] = scale();
  return x0 + inside(second) / seconds * (x1 - x0);
}

function pixels(second) {
  return across(second) / chart().viewBox.baseVal.width * chart().getBoundingClientRect().width;
}

function pointed(event) {
  const [x0, x1, seconds] = scale();
  const frame = chart().getBoundingClientRect();
  const x = (event.clientX - frame.left) / frame.width * chart().viewBox.baseVal.width;
  return inside((x - x0) / (x1 - x0) * seconds);
}

// A click near a scored frame of the chosen person selects that frame.
function snapped(event) {
  const second = pointed(event);
  const frame = nearest(frames(), second);
  return frame && Math.abs(pixels(frame.second) - pixels(second)) < SNAP ? frame.second : second;
}

function emphasise() {
  for (const mark of part('chart').querySelectorAll('[data-person]')) {
    mark.classList.toggle('other', Number(mark.dataset.person) !== chosen);
  }
}

function drawChart() {
  if (!data) return;
  const wide = part('chart').clientWidth;
  const text = data.charts[wide < 560 ? 0 : wide < 900 ? 1 : 2];
  if (part('chart').drawn !== text) part('chart').innerHTML = text;
  part('chart').drawn = text;
  emphasise();
  paint();
}

// The sampled frame nearest to a second, small, above the chart.
function peek(second) {
  if (data.picture || !data.sampled.length) return;
  const place = data.sampled.indexOf(nearest(data.sampled.map((s) => ({ second: s })), second).second);
  const [wide, high] = data.tile;
  const tile = part('tile');
  tile.hidden = !data.storyboard;
  if (data.storyboard) {
    const [row, column] = [Math.floor(place / data.columns), place % data.columns];
    Object.assign(tile.style, {
      width: `${wide}px`,
      height: `${high}px`,
      backgroundImage: `url(${JSON.stringify(data.storyboard.url)})`,
      backgroundPosition: `${-column * wide}px ${-row * high}px`,
    });
  }
  part('peeked').textContent = scoresAt(data.sampled[place]);
  const box = part('peek');
  box.hidden = false;
  const room = timeline.clientWidth - box.offsetWidth;
  box.style.left = `${Math.min(Math.max(pixels(data.sampled[place]) - box.offsetWidth / 2, 0), room)}px`;
}

const unpeek = () => { part('peek').hidden = true; };

timeline.addEventListener('pointerdown', (event) => {
  if (data.picture || event.button) return;
  dragging = true;
  timeline.setPointerCapture(event.pointerId);
  seek(snapped(event));
});
timeline.addEventListener('pointermove', (event) => {
  if (data.picture) return;
  if (dragging) seek(pointed(event));
  peek(pointed(event));
});
for (const kind of ['pointerup', 'pointercancel']) timeline.addEventListener(kind, () => { dragging = false; });
timeline.addEventListener('pointerleave', unpeek);
timeline.addEventListener('blur', unpeek);

const KEYS = {
  ArrowRight: () => step(false),
  ArrowUp: () => step(false),
  ArrowLeft: () => step(true),
  ArrowDown: () => step(true),
  Home: () => seek(frames()[0]?.second),
  End: () => seek(frames().at(-1)?.second),
  ' ': play,
};
timeline.addEventListener('keydown', (event) => {
  const act = KEYS[event.key.length === 1 ? event.key.toLowerCase() : event.key];
  if (!act || !data || data.picture || event.shiftKey || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  if (event.key !== ' ') plain.pause();
  act();
  peek(at);
});

// --- The controls

part('play').addEventListener('click', play);
part('previous').addEventListener('click', () => { plain.pause(); step(true); });
part('next').addEventListener('click', () => { plain.pause(); step(false); });
part('sound').addEventListener('click', () => {
  plain.muted = !plain.muted;
  part('sound').classList.toggle('is-on', plain.muted);
  label(part('sound'), plain.muted ? words.unmute : words.mute);
});

function opacity() {
  const share = part('opacity').value / 100;
  heat.style.opacity = share;
  part('heat-picture').style.opacity = share;
  part('opacity').setAttribute('aria-valuetext', `${part('opacity').value} %`);
}

function wipe() {
  const share = Number(part('wipe').value);
  part('warm').style.clipPath = `inset(0 0 0 ${share}%)`;
  part('seam').style.left = `${share}%`;
}

part('opacity').addEventListener('input', opacity);
part('wipe').addEventListener('input', wipe);

// Buttons elsewhere on the page seek to a moment here; see seek.js.
document.addEventListener('viewer-go', (event) => {
  if (!data) return;
  plain.pause();
  go(event.detail.second, event.detail.person);
  viewer.scrollIntoView({ block: 'nearest' });
});

// --- A new value

function chips() {
  const made = data.people.map((one) => {
    const pen = make('svg', { viewBox: '0 0 30 8', 'aria-hidden': 'true' },
      make('line', { x1: 0, x2: 30, y1: 4, y2: 4, 'stroke-dasharray': one.dash || 'none' }));
    const who = button([pen, make('b', {}, one.name), make('span', {}, one.summary)],
      { class: 'who', 'data-person': one.id }, () => { navigated = true; choose(one.id); });
    const box = button('', { class: 'with-box' }, () => {
      if (!boxless.delete(one.id)) boxless.add(one.id);
      box.setAttribute('aria-pressed', String(!boxless.has(one.id)));
      boxes();
    });
    box.setAttribute('aria-pressed', String(!boxless.has(one.id)));
    label(box, `${words.box} ${one.name}`);
    const chip = make('div', { class: `chip ${one.verdict}` }, who, box);
    chip.style.setProperty('--own', tone(one));
    return chip;
  });
  part('chips').replaceChildren(...made);
}

function stretches() {
  const made = data.stretches.map((one) => {
    const node = button(one.text, { 'data-start': one.start, 'data-end': one.end }, () => { plain.pause(); go(one.moment, one.person); });
    node.style.setProperty('--own', tone(person(one.person)));
    return node;
  });
  if (made.length > 1) made.push(button(words.suspicious, { class: 'quiet' }, () => { plain.pause(); nextStretch(); }));
  const none = data.picture || data.note ? '' : words.no_stretch;
  part('stretches').replaceChildren(...(made.length ? made : [none]));
}

function media(node, file) {
  const url = file?.url ?? '';
  node.hidden = !url;
  if ((node.getAttribute('src') ?? '') === url) return;
  if (url) node.src = url;
  else node.removeAttribute('src');
}

// The initial view: the most suspicious moment of the most suspicious person.
function begin() {
  seek(data.start);
  choose(data.suspect);
  navigated = false;
}

function show() {
  data = props.value && props.value.people ? props.value : null;
  viewer.hidden = !data;
  if (!data) {
    at = 0;
    chosen = 0;
    navigated = false;
    boxless.clear();
    part('saved-size').textContent = '';
    for (const video of [plain, heat]) { video.pause(); media(video, null); video.load(); }
    return;
  }
  const { picture } = data;
  viewer.classList.toggle('is-picture', picture);
  media(plain, picture ? null : data.plain);
  media(heat, picture ? null : data.heat);
  media(part('plain-picture'), picture ? data.plain : null);
  media(part('heat-picture'), picture ? data.heat : null);
  part('stage').style.aspectRatio = `${data.size[0]} / ${data.size[1]}`;
  viewer.style.setProperty('--shape', data.size[0] / data.size[1]);
  part('opacity').disabled = !data.heat;
  part('wipe').disabled = !data.heat;
  part('compare').classList.toggle('has-heat', Boolean(data.heat));
  part('opacity-name').textContent = data.heat ? words.heat : words.no_heat;
  part('note').textContent = data.note;
  part('headline').textContent = data.headline;
  timeline.setAttribute('aria-valuemin', 0);
  timeline.setAttribute('aria-valuemax', data.seconds.toFixed(2));
  chips();
  stretches();
  if (navigated && person()) choose(chosen);
  else begin();
  drawChart();
}

for (const node of element.querySelectorAll('[data-word]')) node.textContent = words[node.dataset.word];
for (const node of element.querySelectorAll('[data-label]')) {
  node.setAttribute('aria-label', words[node.dataset.label]);
  if (node.tagName === 'BUTTON') node.title = words[node.dataset.label];
}
for (const picture of [part('plain-picture'), part('heat-picture')]) picture.addEventListener('load', paint);
new ResizeObserver(drawChart).observe(part('chart'));
opacity();
wipe();
playing();
