// Quantities, times and what comes from the site, as text for people.

// What cannot be seen, or turns the text around it, is written as its number.
const invisible = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;

export function plain(text, limit = 2000) {
  const whole = String(text ?? "");
  const shown = whole.slice(0, limit).replace(invisible, (c) => `\\u{${c.codePointAt(0).toString(16)}}`);
  return whole.length > limit ? `${shown} … and ${count(whole.length - limit)} characters more` : shown;
}

export const count = (n) => Math.round(n ?? 0).toLocaleString("en");

export function bytes(n) {
  if (!n) return "–";
  const units = ["kB", "MB", "GB", "TB"];
  let value = n / 1024, unit = 0;
  for (; value >= 1024 && unit < units.length - 1; unit++) value /= 1024;
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} ${units[unit]}`;
}

export function seconds(s) {
  if (!s) return "0 ms";
  if (s < 0.01) return `${(s * 1000).toFixed(1)} ms`;
  if (s < 1) return `${Math.round(s * 1000)} ms`;
  if (s < 100) return `${s.toFixed(s < 10 ? 2 : 1)} s`;
  return ago(s);
}

export function ago(s) {
  if (s < 60) return `${Math.max(0, Math.floor(s))} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min`;
  if (s < 48 * 3600) return `${Math.floor(s / 3600)} h`;
  return `${Math.floor(s / 86400)} d`;
}

export function rate(n) {
  return n >= 100 || Number.isInteger(n ?? 0) ? count(n) : n.toFixed(1);
}

// moment reads a time; one that was never set is none.
export function moment(text) {
  const at = Date.parse(text);
  return at > 0 ? at : null;
}

export const clock = (at) => new Date(at).toLocaleTimeString("en-GB");
const date = (at) => new Date(at).toLocaleDateString("sv");
export const calendar = (at) => `${date(at)} ${clock(at)}`;

// server knows the server's time: ages are right where this machine's clock is not.
export const server = {
  skew: 0,
  now() { return Date.now() + this.skew; },
};
