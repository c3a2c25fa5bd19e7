// The rows of the builds, the dots of their workers, and a worker's details.

import { ago, bytes, calendar, count, moment, plain, rate, seconds, server } from "./text.js";
import { $, arrange, element, leave, setAttribute, setHidden, setStyle, setText } from "./dom.js";
import { hue } from "./colour.js";
import { Chart } from "./past.js";

class Dot {
  constructor(row, id) {
    this.row = row;
    this.element = element("span", document.body.classList.contains("settled") ? "dot born" : "dot");
    this.element.setAttribute("role", "option");
    this.element.setAttribute("aria-selected", "false");
    this.element.tabIndex = -1;
    this.element.dataset.worker = id;
    dots.set(this.element, this);
  }

  // update is called with every worker that is drawn, so it compares by itself
  // and does not ask the document.
  update(worker) {
    const before = this.worker ?? {};
    this.worker = worker;
    if (before.state !== worker.state) this.element.dataset.state = worker.state;
    if (before.tag !== worker.tag) this.element.style.setProperty("--hue", hue(worker.tag));
    const fresh = !worker.requests_since_start;
    if (this.fresh !== fresh) this.element.classList.toggle("fresh", this.fresh = fresh);
    this.label();
  }

  // label leaves the worker that has the focus alone: a screen reader would
  // read each change of it.
  label() {
    const label = this.name();
    if (label === this.labelled || document.activeElement === this.element) return;
    this.element.setAttribute("aria-label", this.labelled = label);
  }

  name() {
    const { id, instance, state } = this.worker;
    return `worker ${id}${instance ? ` of the ${plain(instance, 40)} instance` : ""}, ${plain(state, 40)}${this.fresh ? ", no request yet" : ""}`;
  }

  // describe is what a screen reader says of the worker when it is reached.
  describe() {
    this.element.setAttribute("aria-label", this.labelled = this.name());
    this.element.setAttribute("aria-description", Object.entries(details(this.worker)).filter(([key]) => key !== "title")
      .map(([key, text]) => `${spoken[key] ?? key} ${text}`).join(", "));
  }

  leave() {
    this.element.dataset.state = "gone";
    this.element.tabIndex = -1;
    this.element.setAttribute("aria-hidden", "true");
    panel.forget(this);
    leave(this.element);
  }
}

const dots = new WeakMap();
export const dotOf = (target) => dots.get(target.closest?.(".workers .dot"));

function details(w) {
  const started = moment(w.started);
  return {
    title: `Worker ${w.id}${w.instance ? `, ${plain(w.instance, 40)} instance` : ""}`,
    pid: w.pid ? String(w.pid) : "–",
    state: plain(w.state, 40),
    tag: plain(w.tag, 200) || "–",
    started: started ? `${calendar(started)}, ${ago((server.now() - started) / 1000)} ago` : "–",
    requests: count(w.requests),
    since: w.requests_since_start ? count(w.requests_since_start) : "0, none yet",
    running: seconds(w.running_seconds),
    average: seconds(w.average_response_seconds),
    memory: bytes(w.memory_bytes),
    exceptions: count(w.exceptions),
    request: w.request ? `${plain(w.request.method, 40)} ${plain(w.request.path)} · for ${seconds(w.request.running_seconds)}` : "none",
  };
}

const spoken = { since: "requests since its start", running: "running time", average: "average response", request: "in flight", tag: "code" };

const template = $("#build");

export class Row {
  constructor(name) {
    this.name = name;
    this.element = template.content.firstElementChild.cloneNode(true);
    this.element.id = `build-${name}`;
    this.element.dataset.build = name;
    this.link = $("h3 a", this.element);
    this.link.textContent = plain(name, 20);
    this.link.href = `#build-${encodeURIComponent(name)}`;
    this.link.setAttribute("aria-label", `build ${plain(name, 20)}`);
    this.badge = $(".badge", this.element);
    this.workers = $(".workers", this.element);
    this.workers.setAttribute("aria-label", `Workers of build ${plain(name, 20)}`);
    this.fields = Object.fromEntries([...this.element.querySelectorAll("[data-field]")].map((e) => [e.dataset.field, e]));
    this.rate = new Chart($(".rate", this.element), "Requests per second", rate);
    this.time = new Chart($(".time", this.element), "Average response time", seconds);
    this.gangs = new Map();
    this.dots = new Map();
    this.order = [];
  }

  update(b) {
    if (this.build === b) return;
    this.build = b;
    setAttribute(this.element, "data-state", b.state);
    setStyle(this.element, "--hue", hue(b.tag ?? ""));
    const pointer = b.pointer || "none";
    setAttribute(this.badge, "data-pointer", pointer);
    setText(this.badge, pointer);
    this.updateFields(b);
    this.updateQueue(b);
    this.updateWorkers(b.workers ?? []);
  }

  updateFields(b) {
    const tag = $(".tag span", this.element);
    setText(tag, plain(b.tag, 200) || "no tag");
    setAttribute(tag, "title", plain(b.tag, 200));
    setText(this.fields.state, plain(b.state, 40));
    setText(this.fields.port, String(b.port || "–"));
    setText(this.fields.memory, bytes(b.memory_bytes));
    setText(this.fields.size, bytes(b.size_bytes));
    setAttribute(this.fields.size, "title", `of its own ${bytes((b.size_bytes ?? 0) - (b.shared_bytes ?? 0))}, the rest is shared with other builds`);
    setText(this.fields.requests, count(b.requests));
    const trouble = $(".trouble", this.element);
    setHidden(trouble, !b.trouble);
    setText(trouble, plain(b.trouble));
    setText(this.rate.value, rate(b.requests_per_second));
    setText(this.time.value, b.requests ? seconds(b.average_response_seconds) : "–");
  }

  updateQueue(b) {
    const [waiting, limit] = [b.listen_queue ?? 0, b.listen_queue_max ?? 0];
    const queue = $(".queue", this.element), meter = $(".meter", queue);
    const share = limit ? Math.min(1, waiting / limit) : 0;
    queue.classList.toggle("full", share >= 0.5);
    setAttribute(meter, "aria-label", `Listen queue of build ${this.name}`);
    setAttribute(meter, "aria-valuenow", waiting);
    setAttribute(meter, "aria-valuemax", Math.max(limit, 1));
    const words = limit ? `${count(waiting)} of ${count(limit)}` : "–";
    setAttribute(meter, "aria-valuetext", limit ? `${words} places taken` : "closed");
    setText($(".value", queue), words);
    // one that waits can be seen, however long the queue may become
    setStyle($("i", meter), "transform", `scaleX(${waiting ? Math.max(share, 0.02) : 0})`);
  }

  updateAge() {
    const created = moment(this.build?.created);
    setText(this.fields.age, created ? ago((server.now() - created) / 1000) : "–");
  }

  updateWorkers(workers) {
    const seen = new Set(), order = [], byGang = new Map();
    for (const w of workers) {
      const key = `${w.instance}\n${w.id}`;
      if (seen.has(key)) continue;
      seen.add(key);
      let dot = this.dots.get(key);
      if (!dot) this.dots.set(key, dot = new Dot(this, w.id));
      dot.update(w);
      order.push(dot);
      if (!byGang.has(w.instance)) byGang.set(w.instance, []);
      byGang.get(w.instance).push(dot.element);
    }
    this.regroup(byGang);
    const before = this.order;
    this.order = order;
    for (const [key, dot] of this.dots) if (!seen.has(key)) this.lose(key, dot, before);
    this.resize(order.length);
    this.tally(workers);
    this.rove();
  }

  regroup(byGang) {
    for (const [instance, elements] of byGang) {
      if (!this.gangs.has(instance)) {
        const gang = element("div", "gang");
        gang.setAttribute("role", "group");
        gang.setAttribute("aria-label", instance ? `${plain(instance, 40)} instance` : "first instance");
        this.gangs.set(instance, gang);
      }
      arrange(this.gangs.get(instance), elements);
    }
    for (const [instance, gang] of this.gangs) {
      if (byGang.has(instance)) continue;
      this.gangs.delete(instance);
      leave(gang);
    }
    arrange(this.workers, [...byGang.keys()].map((instance) => this.gangs.get(instance)));
  }

  // lose lets a worker go, and hands its focus to the nearest one that stays.
  lose(key, dot, before) {
    this.dots.delete(key);
    const focused = document.activeElement === dot.element;
    dot.leave();
    if (!focused) return;
    const at = before.indexOf(dot);
    const heir = [...before.slice(0, at).reverse(), ...before.slice(at)].find((d) => this.order.includes(d)) ?? this.order[0];
    (heir?.element ?? this.link).focus({ preventScroll: true });
  }

  resize(n) {
    this.workers.classList.toggle("many", n > 48 && n <= 200);
    this.workers.classList.toggle("crowd", n > 200);
  }

  tally(workers) {
    const states = new Map();
    for (const w of workers) states.set(w.state, (states.get(w.state) ?? 0) + 1);
    const words = [...states].sort().map(([state, n]) => `${count(n)} ${plain(state, 40)}`).join(" · ");
    setText($(".count", this.element), words || "no workers");
  }

  // rove keeps exactly one worker of the row in the order of Tab.
  rove(dot = this.order.includes(this.current) ? this.current : this.order[0]) {
    if (this.current !== dot && this.current) this.current.element.tabIndex = -1;
    this.current = dot;
    if (dot && dot.element.tabIndex !== 0) dot.element.tabIndex = 0;
  }

  leave() {
    for (const dot of this.order) panel.forget(dot);
    this.element.inert = true;
    leave(this.element);
  }
}

const small = matchMedia("(max-width: 600px)");

// panel shows the details of a worker: of the one pointed at, else of the one
// that has the focus, else of the one that was chosen.
export const panel = {
  element: $("#detail"),
  fields: Object.fromEntries([...document.querySelectorAll("#detail [data-field]")].map((e) => [e.dataset.field, e])),
  pointed: null, focused: null, chosen: null, shown: null,

  update() {
    const dot = this.pointed ?? this.focused ?? this.chosen;
    if (this.shown !== dot) {
      this.shown?.element.setAttribute("aria-selected", "false");
      dot?.element.setAttribute("aria-selected", "true");
    }
    const moved = this.shown !== dot;
    this.shown = dot;
    setHidden(this.element, !dot);
    document.documentElement.classList.toggle("open", Boolean(dot));
    if (!dot) return;
    this.fill(dot);
    if (moved) this.place(dot);
    if (moved) this.reveal(dot);
  },

  // reveal scrolls the worker out from under the details, where they lie at the
  // foot of a small screen.
  reveal(dot) {
    const hidden = dot.element.getBoundingClientRect().bottom + 16 - this.element.getBoundingClientRect().top;
    if (small.matches && hidden > 0) scrollBy({ top: hidden });
  },

  fill({ worker, fresh, row }) {
    for (const [field, text] of Object.entries(details(worker))) setText(this.fields[field], text);
    setText(this.fields.title, `${details(worker).title} of build ${plain(row.name, 20)}`);
    const sign = $("h2 .dot", this.element);
    setAttribute(sign, "data-state", worker.state);
    sign.classList.toggle("fresh", fresh);
    setStyle(sign, "--hue", hue(worker.tag));
  },

  // place puts it below the worker, or above where there is no room, and never
  // over the worker itself.
  place(dot) {
    if (small.matches) return;
    const at = dot.element.getBoundingClientRect(), box = this.element.getBoundingClientRect();
    const below = at.bottom + 10 + box.height < innerHeight, x = at.left + at.width / 2 - 40;
    const top = below ? at.bottom + 10 : at.top - 10 - box.height;
    const left = Math.min(Math.max(8, x), innerWidth - box.width - 8);
    if (top >= 8) return this.at(left, top);
    const right = at.right + 12 + box.width < innerWidth;
    this.at(right ? at.right + 12 : Math.max(8, at.left - 12 - box.width), Math.min(Math.max(8, at.top - 40), innerHeight - box.height - 8));
  },

  at(left, top) {
    this.element.style.setProperty("--left", `${Math.round(left)}px`);
    this.element.style.setProperty("--top", `${Math.round(top)}px`);
  },

  point(dot) {
    clearTimeout(this.going);
    if (dot) this.pointed = dot;
    else this.going = setTimeout(() => { this.pointed = null; this.update(); }, 250);
    this.update();
  },

  close() {
    clearTimeout(this.going);
    this.pointed = this.focused = this.chosen = null;
    this.update();
  },

  forget(dot) {
    for (const role of ["pointed", "focused", "chosen"]) if (this[role] === dot) this[role] = null;
    if (this.shown === dot) this.update();
  },
};
