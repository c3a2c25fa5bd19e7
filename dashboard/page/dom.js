// The document, touched only where something is different.

export const $ = (selector, root = document) => root.querySelector(selector);

export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

export function setAttribute(element, name, value) {
  if (element.getAttribute(name) !== String(value)) element.setAttribute(name, value);
}

export function setHidden(element, hidden) {
  if (element.hidden !== hidden) element.hidden = hidden;
}

export function setStyle(element, name, value) {
  if (element.style.getPropertyValue(name) !== value) element.style.setProperty(name, value);
}

export function element(name, className = "", text = "") {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text) made.textContent = text;
  return made;
}

// arrange gives the parent these children, in this order, and leaves alone
// those that are leaving. One that is in its place is not moved, because
// moving takes the focus from it.
export function arrange(parent, wanted) {
  const focused = document.activeElement;
  const wantedSet = new Set(wanted);
  let place = parent.firstElementChild;
  for (const child of wanted) {
    while (place && !wantedSet.has(place)) place = place.nextElementSibling;
    if (place === child) place = place.nextElementSibling;
    else parent.insertBefore(child, place);
  }
  if (focused !== document.activeElement && focused.isConnected) focused.focus({ preventScroll: true });
}

export const calm = matchMedia("(prefers-reduced-motion: reduce)");

// leave lets an element fade away.
export function leave(gone) {
  gone.classList.add("leaving");
  setTimeout(() => gone.remove(), calm.matches ? 0 : 1000);
}
