// The last five minutes, and how they are drawn.

import { $, setAttribute, setText } from "./dom.js";

const span = 300, bucketSeconds = 2;

// Past keeps what was measured of each build, in buckets of two seconds.
export class Past {
  #builds = new Map();

  add(at, name, sample) {
    if (!this.#builds.has(name)) this.#builds.set(name, new Map());
    const buckets = this.#builds.get(name), bucket = Past.bucket(at), last = buckets.get(bucket);
    const n = (last?.n ?? 0) + 1, mean = (before = 0, value = 0) => (before * (n - 1) + value) / n;
    buckets.set(bucket, { n, rate: mean(last?.rate, sample.requests_per_second), time: mean(last?.time, sample.average_response_seconds) });
    for (const old of buckets.keys()) if (old < bucket - span / bucketSeconds) buckets.delete(old);
  }

  replace(samples) {
    this.#builds.clear();
    for (const s of samples) for (const [name, sample] of Object.entries(s.builds ?? {})) this.add(Date.parse(s.time), name, sample);
  }

  keep(names) {
    for (const name of this.#builds.keys()) if (!names.includes(name)) this.#builds.delete(name);
  }

  // line is a build's values, the oldest first; undefined where nobody looked
  // for longer than it takes to come again.
  line(name, key, now) {
    const buckets = this.#builds.get(name), last = Past.bucket(now), values = [];
    let missing = 0;
    for (let b = last - span / bucketSeconds + 1; b <= last; b++) {
      const value = buckets?.get(b)?.[key];
      missing = value === undefined ? missing + 1 : 0;
      values.push(missing && missing <= 2 ? values.at(-1) : value);
    }
    return values;
  }

  static bucket(at) { return Math.floor(at / 1000 / bucketSeconds); }
}

// roof is the round number that a chart ends at.
export function roof(values, least) {
  const top = Math.max(least, ...values.filter((v) => v !== undefined));
  const unit = 10 ** Math.floor(Math.log10(top));
  return unit * [1, 1.5, 2, 3, 4, 5, 7.5, 10].find((m) => m * unit >= top);
}

export class Chart {
  constructor(figure, what, words) {
    [this.what, this.words] = [what, words];
    this.svg = $("svg", figure);
    [this.area, this.line] = [$(".area", figure), $(".line", figure)];
    [this.value, this.peak] = [$(".value", figure), $(".peak", figure)];
  }

  draw(name, values, top) {
    const known = values.filter((v) => v !== undefined), now = known.at(-1) ?? 0;
    const { line, area } = this.trace(values, top);
    setAttribute(this.line, "d", line);
    setAttribute(this.area, "d", area);
    setText(this.peak, this.words(top));
    setAttribute(this.svg, "aria-label", `${this.what} of build ${name} in the last 5 minutes: ` + (known.length
      ? `now ${this.words(now)}, lowest ${this.words(Math.min(...known))}, highest ${this.words(Math.max(...known))}` : "nothing measured yet"));
  }

  trace(values, top) {
    const [width, height] = [150, 34], step = width / (values.length - 1);
    let line = "", area = "", from = null;
    values.forEach((value, i) => {
      if (value === undefined) return;
      const x = (i * step).toFixed(1), y = (height - 1 - Math.min(1, value / top) * (height - 3)).toFixed(1);
      const begins = values[i - 1] === undefined, ends = i === values.length - 1 || values[i + 1] === undefined;
      if (begins) from = x;
      line += `${begins ? "M" : "L"}${x} ${y}`;
      area += `${begins ? `M${x} ${height}L` : "L"}${x} ${y}`;
      if (begins && ends) line += `h${step.toFixed(1)}`;
      if (ends) area += `V${height}H${from}Z`;
    });
    return { line, area };
  }
}
