const UNITS = [
  ["year", 365 * 86400],
  ["month", 30 * 86400],
  ["week", 7 * 86400],
  ["day", 86400],
  ["hour", 3600],
  ["minute", 60],
];

/** Says how long ago a time was, in the page's language; the date itself is in its tooltip. */
export function relateTimes(now = Date.now()) {
  const format = new Intl.RelativeTimeFormat(document.documentElement.lang || "en", { numeric: "auto" });
  for (const time of document.querySelectorAll("time[datetime]")) {
    const seconds = (Date.parse(time.dateTime) - now) / 1000;
    if (Number.isNaN(seconds)) continue;
    time.title = time.textContent;
    time.textContent = ago(format, seconds);
  }
}

function ago(format, seconds) {
  const [unit, length] = UNITS.find(([, length]) => Math.abs(seconds) >= length) ?? ["second", 1];
  return format.format(Math.round(seconds / length), unit);
}
