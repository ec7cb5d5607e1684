// Names that Gradio's widgets have in English only. Before this script stands `words` (chosen.js);
// `words.widgets` has what they are called in the page's language. Only whole names of Gradio's own
// elements are looked up, so that nothing from outside, such as a file's name, is translated.
const NAMED = ['aria-label', 'title'];
const OWN = ':is(button, input, div, footer, nav):not(.report *, #viewer *, #masthead *)';

function rename(node) {
  if (!node.matches(OWN)) return;
  for (const name of NAMED) {
    const text = node.getAttribute(name);
    if (Object.hasOwn(words.widgets, text)) node.setAttribute(name, words.widgets[text]);
  }
}

function renameAll(node) {
  if (node.nodeType !== Node.ELEMENT_NODE) return;
  for (const one of [node, ...node.querySelectorAll('[aria-label], [title]')]) rename(one);
}

// A text, not a name, that Gradio's cameras have in English only.
function nameCamera() {
  for (const place of document.querySelectorAll('#camera button *, #recorder button *')) {
    const text = place.lastChild;
    if (text?.nodeType === Node.TEXT_NODE && text.nodeValue.trim() === 'Click to Access Webcam') {
      text.nodeValue = ` ${words.webcam}`;
    }
  }
}

// What Gradio says of a mistake of ours, of which it is told nothing.
function nameFailure() {
  for (const place of document.querySelectorAll('.toast-message-text')) {
    if (/^An error occurred\.?$/.test(place.textContent.trim())) place.textContent = words.failure;
  }
}

if (words !== translations.en) {
  new MutationObserver((changes) => {
    nameCamera();
    nameFailure();
    for (const { type, target, addedNodes } of changes) {
      if (type === 'attributes') rename(target);
      else addedNodes.forEach(renameAll);
    }
  }).observe(document.body, { childList: true, subtree: true, attributeFilter: NAMED });
  renameAll(document.body);
}
