// The colour of a tag.

// Red is kept for trouble.
const [firstHue, hues] = [70, 275];
const hueByTag = new Map();

function hash(text) {
  let h = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
  h = Math.imul(h ^ (h >>> 15), 0x2c1b3c6d);
  return (h ^ (h >>> 13)) >>> 0;
}

// around are all hues, beginning with one.
const around = (h) => Array.from({ length: hues }, (_, i) => firstHue + (h - firstHue + i) % hues);

// hue is the same for a tag wherever it is seen, but where two tags of one page
// would look alike: there the one seen later takes the next colour that is free.
export function hue(tag) {
  if (!hueByTag.has(tag)) {
    const own = firstHue + hash(tag) % hues, taken = [...hueByTag.values()];
    const far = (h, apart) => taken.every((other) => Math.abs(h - other) >= apart);
    // with many tags they cannot all be far from each other
    const free = [40, 25, 12].flatMap((apart) => around(own).filter((h) => far(h, apart)));
    hueByTag.set(tag, free[0] ?? own);
  }
  return String(hueByTag.get(tag));
}

// forget gives back the colours of the tags that are on the page no longer.
export function forget(tags) {
  for (const tag of hueByTag.keys()) if (!tags.has(tag)) hueByTag.delete(tag);
}
