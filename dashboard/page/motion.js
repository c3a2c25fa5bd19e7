// What is seen to move: the badges and the rails of live and stage.

import { $, calm, setAttribute } from "./dom.js";

const pointers = ["live", "stage"];
const badgeOf = (pointer) => $(`.build:not(.leaving) .badge[data-pointer="${pointer}"]`);

export function badgePlaces() {
  return new Map(pointers.map((p) => [p, badgeOf(p)]).filter(([, badge]) => badge)
    .map(([p, badge]) => [p, { badge, box: badge.getBoundingClientRect() }]));
}

// moveBadges lets a badge be seen on its way from the row it was in.
export function moveBadges(places) {
  for (const [pointer, { badge, box }] of places) {
    const now = badgeOf(pointer);
    if (!now || now === badge) continue;
    arrive(now.closest(".build"));
    if (calm.matches) continue;
    const there = now.getBoundingClientRect();
    now.animate([{ transform: `translate(${box.left - there.left}px, ${box.top - there.top}px)` }, { transform: "none" }],
      { duration: 800, easing: "cubic-bezier(.5, 0, .2, 1)" });
  }
}

function arrive(row) {
  row.classList.remove("arrived");
  void row.offsetWidth; // the animation begins anew
  row.classList.add("arrived");
  clearTimeout(row.arrived);
  row.arrived = setTimeout(() => row.classList.remove("arrived"), 2400);
}

// The rails lead from live and stage to the rows of their builds, as in the
// drawing of a railway's points.
export const rails = {
  element: $("#rails"), at: {}, goal: {},
  x: { live: 9, stage: 38 },

  draw() {
    if (getComputedStyle(this.element).display === "none") return;
    const origin = this.element.getBoundingClientRect().top;
    for (const pointer of pointers) {
      const badge = badgeOf(pointer), heading = badge && $("h3", badge.parentElement).getBoundingClientRect();
      this.aim(pointer, heading ? Math.round(heading.top + heading.height / 2 - origin) : null);
    }
  },

  aim(pointer, y) {
    if (this.goal[pointer] === y) return;
    const from = this.at[pointer];
    this.goal[pointer] = y;
    if (from == null || y == null || calm.matches) return this.put(pointer, y);
    const began = performance.now();
    const step = (now) => {
      if (this.goal[pointer] !== y) return;
      const t = Math.min(1, Math.max(0, (now - began) / 800)), eased = t < 0.5 ? 4 * t ** 3 : 1 - (2 - 2 * t) ** 3 / 2;
      this.put(pointer, from + (y - from) * eased);
      if (t < 1) requestAnimationFrame(step);
    };
    requestAnimationFrame(step);
  },

  put(pointer, y) {
    this.at[pointer] = y;
    const x = this.x[pointer], r = 12;
    const path = y == null ? "" : `M${x} 22V${y - r}Q${x} ${y} ${x + r} ${y}H70`;
    const line = $(`path.${pointer}`, this.element);
    setAttribute(line, "d", path);
    setAttribute(line.previousElementSibling, "d", y == null ? "" : `M${x} ${y - r}Q${x} ${y} ${x + r} ${y}H58`);
    const end = $(`circle.${pointer}`, this.element);
    setAttribute(end, "cx", 70);
    setAttribute(end, "cy", y ?? -20);
  },

  name() {
    const make = (name, attributes, text = "") => {
      const made = document.createElementNS("http://www.w3.org/2000/svg", name);
      for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
      made.textContent = text;
      this.element.append(made);
    };
    for (const pointer of pointers) {
      make("text", { x: this.x[pointer] - (pointer === "live" ? 9 : 8), y: 14 }, pointer);
      make("circle", { class: pointer, r: 3.5, cx: 70, cy: -20 });
    }
  },
};
