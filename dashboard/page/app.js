// The page of the dashboard. It draws what the feed says, and changes nothing.
// Whatever comes from the site is text: it is never read as markup.

import { ago, calendar, clock, moment, plain, seconds, server } from "./text.js";
import { $, arrange, element, setAttribute, setHidden, setText } from "./dom.js";
import { forget, hue } from "./colour.js";
import { Past, roof } from "./past.js";
import { badgePlaces, moveBadges, rails } from "./motion.js";
import { dotOf, panel, Row } from "./workers.js";

const model = { site: null, builds: new Map(), names: [] };
const past = new Past();
const rows = new Map();
const board = $("#builds");

function draw() {
  if (!model.site) return;
  const places = badgePlaces();
  dropRows();
  for (const name of model.names) {
    if (!rows.has(name)) rows.set(name, new Row(name));
    rows.get(name).update(model.builds.get(name));
  }
  arrange(board, model.names.map((name) => rows.get(name).element));
  setHidden($("#none"), model.names.length > 0);
  drawCharts();
  drawAges();
  drawSite();
  drawCodes();
  moveBadges(places);
  rails.draw();
  if (panel.shown) panel.fill(panel.shown);
  requestAnimationFrame(() => document.body.classList.add("settled"));
}

// dropRows lets builds go that are gone, and hands the focus that was in one of
// them to the nearest that stays.
function dropRows() {
  const gone = [...rows.values()].filter((row) => !model.builds.has(row.name));
  const left = gone.find((row) => row.element.contains(document.activeElement));
  const heir = left && nearest(left.element, (row) => model.builds.has(row.dataset.build) && !row.inert);
  for (const row of gone) {
    rows.delete(row.name);
    row.leave();
  }
  if (left) (heir ? $("h3 a", heir) : $("#headline")).focus({ preventScroll: true });
}

function nearest(row, stays) {
  for (const way of ["nextElementSibling", "previousElementSibling"]) {
    for (let other = row[way]; other; other = other[way]) if (stays(other)) return other;
  }
  return null;
}

function drawCharts() {
  const now = server.now();
  const all = model.names.map((name) => ({ name, rate: past.line(name, "rate", now), time: past.line(name, "time", now) }));
  // all builds are drawn to one scale, so that they can be compared
  const tops = { rate: roof(all.flatMap((l) => l.rate), 10), time: roof(all.flatMap((l) => l.time), 0.01) };
  for (const { name, rate: r, time: t } of all) {
    const row = rows.get(name);
    row.rate.draw(name, r, tops.rate);
    row.time.draw(name, t, tops.time);
    row.element.classList.toggle("quiet", !row.build.listen_queue_max && !row.order.length && !r.some(Boolean));
  }
}

function drawAges() {
  for (const row of rows.values()) row.updateAge();
}

const builtAs = (pointer) => model.names.find((name) => model.builds.get(name).pointer === pointer);

function drawSite() {
  drawHeadline(builtAs("live"), builtAs("stage"));
  drawServers(model.site.servers ?? {}, model.site.kept);
  drawHalf(model.site.half_done);
  drawJournal(model.site.journal ?? []);
}

function drawHeadline(live, stage) {
  const headline = $("#headline"), key = JSON.stringify([live, stage, model.site.live_url, model.site.stage_url]);
  if (headline.dataset.shows === key) return;
  headline.dataset.shows = key;
  headline.replaceChildren(
    address("live", model.site.live_url), " is ", element("b", "", plain(live ?? "nothing", 20)), ", ",
    address("stage", model.site.stage_url), " is ", element("b", "", plain(stage ?? "nothing", 20)));
}

function address(word, url) {
  if (!/^https?:\/\//.test(url ?? "")) return element("span", "", word);
  const link = element("a", "", word);
  link.href = url;
  link.title = url;
  return link;
}

const serverNames = ["vassals", "zergs", "nginx", "dashboard"];

function drawServers(servers, kept) {
  const list = $("#servers");
  const states = serverNames.filter((name) => name in servers).map((name) => [name, servers[name]]);
  states.push(["keeper", kept]);
  const key = JSON.stringify(states);
  if (list.dataset.shows === key) return;
  const before = list.dataset.shows;
  list.dataset.shows = key;
  list.replaceChildren(...states.map(([name, up]) => {
    const item = element("li", up ? "up" : "down");
    const mark = element("i");
    mark.setAttribute("aria-hidden", "true");
    item.append(mark, up ? name : `${name} is down`);
    if (up) item.append(element("span", "unseen", " runs"));
    return item;
  }));
  const down = states.filter(([, up]) => !up).map(([name]) => name);
  if (before && down.length) announce(`${down.join(", ")}: down`);
}

function drawHalf(half) {
  const band = $("#half"), key = half ? JSON.stringify(half) : "";
  setHidden(band, !half);
  if (band.dataset.shows === key) return;
  band.dataset.shows = key;
  if (!half) return;
  const began = moment(half.began);
  band.replaceChildren(
    element("b", "", `${plain(half.task, 200)} is half done. `),
    `Begun ${began ? `at ${calendar(began)} ` : ""}by ${plain(half.user, 80)} on ${plain(half.host, 80)}, it was cut short`,
    half.last_step ? ` after ${plain(half.last_step, 200)}` : "", ". Next: ", element("b", "", `${plain(half.next, 300)}.`));
}

function drawJournal(records) {
  const body = $("#journal"), key = JSON.stringify(records);
  setHidden($("#no-journal"), records.length > 0);
  setHidden(body.closest("table"), records.length === 0);
  if (body.dataset.shows === key) return;
  body.dataset.shows = key;
  const known = new Map([...body.children].map((tr) => [tr.dataset.id, tr]));
  const wanted = records.map((r) => {
    const tr = known.get(r.id) ?? entry(r.id);
    const { cells, bad } = journalLine(r);
    cells.forEach((text, i) => setText(tr.children[i], text));
    tr.classList.toggle("bad", bad);
    return tr;
  });
  for (const tr of [...body.children]) if (!wanted.includes(tr)) tr.remove();
  arrange(body, wanted);
}

function entry(id) {
  const tr = element("tr");
  tr.dataset.id = id;
  tr.append(...Array.from({ length: 6 }, () => element("td")));
  return tr;
}

function journalLine(r) {
  const began = moment(r.began), ended = moment(r.ended);
  const took = ended ? seconds((ended - began) / 1000) : "–";
  const way = r.from || r.to ? `${plain(r.from, 20) || "–"} → ${plain(r.to, 20) || "–"}` : "–";
  const task = [r.task, ...(r.args ?? [])].map((word) => plain(word, 200)).join(" ");
  return { cells: [began ? calendar(began) : "–", `${plain(r.user, 80)}@${plain(r.host, 80)}`, task, way, took, outcome(r, ended)],
    bad: r.result === "error" || (!ended && !r.running && !r.settled_by) };
}

function outcome(r, ended) {
  if (r.running) return "running";
  if (r.settled_by) return "cut short, settled since";
  if (!ended) return "cut short";
  return plain(r.error ? `${r.result}: ${r.error}` : r.result, 600);
}

// drawCodes names the colours that are on the page.
function drawCodes() {
  const tags = new Set();
  for (const b of model.builds.values()) {
    if (b.tag) tags.add(b.tag);
    for (const w of b.workers ?? []) if (w.tag) tags.add(w.tag);
  }
  forget(tags);
  const list = $("#codes"), key = JSON.stringify([...tags]);
  if (list.dataset.shows === key) return;
  list.dataset.shows = key;
  list.replaceChildren(...[...tags].map((tag) => {
    const code = element("span"), swatch = element("i", "swatch");
    swatch.style.setProperty("--hue", hue(tag));
    code.append(swatch, plain(tag, 200));
    return code;
  }));
}

function announce(text) {
  $("#announce").textContent = text;
}

// swapped says what live and stage are now, if they were something else.
function swapped(before) {
  const [live, stage] = [builtAs("live"), builtAs("stage")];
  if (!before || (before.live === live && before.stage === stage)) return "";
  if (before.live === live) return `stage is now ${plain(stage ?? "nothing", 20)}`;
  return `live is now ${plain(live ?? "nothing", 20)}, it was ${plain(before.live ?? "nothing", 20)}`;
}

function drawTitle() {
  if (!feed.source && !feed.trouble) return void (document.title = "paused · hadjango");
  const name = model.site ? `live is ${plain(builtAs("live") ?? "nothing", 20)} · hadjango` : "hadjango";
  document.title = feed.trouble ? `connection lost · ${name}` : name;
}

const watchdogMillis = 3000, patienceMillis = 1500, restMillis = 60_000, longestWait = 5000;

// what is said where the server does not say it better
const reasons = {
  0: "the server does not answer",
  403: "it is for visitors on the server itself, and networks that dashboard.allow in hadjango.yml names",
  404: "there is no dashboard here (404)",
  502: "the dashboard's process does not answer (502). The keeper brings it back, and so does mage up",
};

// explain asks for what could not be had by other means, because an event
// source does not tell why.
async function explain(address) {
  try {
    const answer = await fetch(address, { cache: "no-store", signal: AbortSignal.timeout(watchdogMillis) });
    if (answer.ok) {
      answer.body?.cancel();
      return { status: answer.status, reason: "" };
    }
    const text = answer.headers.get("content-type")?.startsWith("text/plain") ? await answer.text() : "";
    const said = plain(text.trim().replaceAll(/\s+/g, " ").replace(/\.$/, ""), 300);
    return { status: answer.status, reason: said || reasons[answer.status] || `the server answers ${answer.status}` };
  } catch {
    return { status: 0, reason: reasons[0] };
  }
}

const feed = {
  source: null, last: 0, lastAt: 0, tries: 0, trouble: null, drawing: 0,

  open() {
    this.close();
    if (!this.trouble) this.say("connecting", "connecting");
    this.opened = performance.now();
    const source = this.source = new EventSource("events");
    for (const kind of ["status", "builds", "history"]) source.addEventListener(kind, (e) => this.take(kind, e.data));
    source.addEventListener("error", () => this.fail(source));
  },

  close() {
    clearTimeout(this.again);
    this.source?.close();
    this.source = null;
  },

  take(kind, text) {
    let data;
    try {
      data = JSON.parse(text);
    } catch {
      return this.lose("the server sends what this page does not understand. Load the page anew");
    }
    this.last = performance.now();
    this.lastAt = Date.now();
    this.tries = 0;
    if (data.time) server.skew = Date.parse(data.time) - Date.now();
    const before = model.site && { live: builtAs("live"), stage: builtAs("stage") };
    merge[kind](data);
    const news = [this.trouble && "connected again", swapped(before)].filter(Boolean).join(": ");
    if (news) announce(news);
    this.found();
    if (!this.drawing) this.drawing = requestAnimationFrame(() => { this.drawing = 0; draw(); });
  },

  found() {
    clearTimeout(this.patience);
    this.trouble = null;
    this.say("open", `connected, ${clock(server.now())}`);
    setHidden($("#lost"), true);
    drawTitle();
  },

  // fail is told that the connection has ended. The browser opens it again by
  // itself, but not after an answer that is no feed. A server that only ends
  // what has lasted long is no trouble: it lets the page in again at once.
  fail(source) {
    if (source !== this.source) return;
    if (source.readyState === EventSource.CLOSED) return this.ask();
    if (this.trouble) return;
    this.say("connecting", "connecting again");
    this.patience = setTimeout(() => this.lose(), patienceMillis);
  },

  // ask finds out why there is no feed, and tries again.
  async ask() {
    this.close();
    const { status, reason } = await explain("events");
    if (this.source || document.hidden) return;
    this.lose(reason, status === 403 ? "refused" : "lost");
    this.again = setTimeout(() => this.open(), this.wait(status));
  },

  wait(status) {
    return status === 403 ? longestWait : Math.min(longestWait, 500 * 2 ** this.tries++);
  },

  lose(reason = "", state = "lost") {
    clearTimeout(this.patience);
    const before = this.trouble;
    this.trouble = { headline: state === "refused" ? "The server refuses to show this" : "Connection lost", reason };
    if (before?.headline !== this.trouble.headline) announce(`${this.trouble.headline}${reason && `: ${reason}`}`);
    this.say(state, state === "refused" ? "refused" : "connection lost");
    this.tell();
    drawTitle();
  },

  // tell says how old it is what the page shows.
  tell() {
    const { headline, reason } = this.trouble, known = this.lastAt > 0;
    setText($("#lost"), `${headline}${known ? ` since ${clock(this.lastAt + server.skew)}` : ""}${reason && `: ${reason}`}.`
      + (known ? ` What you see is ${ago((Date.now() - this.lastAt) / 1000)} old.` : ""));
    setHidden($("#lost"), false);
  },

  say(state, text) {
    setAttribute(document.body, "data-link", state);
    setText($("#link-text"), text);
  },

  watch() {
    if (this.trouble) this.tell();
    if (!this.source) return;
    const since = performance.now() - Math.max(this.last, this.opened);
    if (since < watchdogMillis) return;
    this.lose(this.trouble?.reason);
    this.open();
    // it may be the site that cannot be looked at
    explain("status.json").then(({ status, reason }) => {
      if (this.trouble && status >= 400) this.lose(reason);
    });
  },

  // rest ends the feed of a page that nobody looks at.
  rest() {
    clearTimeout(this.patience);
    this.close();
    this.trouble = null;
    setHidden($("#lost"), true);
    this.say("asleep", "paused while hidden");
    drawTitle();
  },
};

const merge = {
  status(site) {
    model.site = site;
    model.names = site.builds.map((b) => b.name);
    model.builds = new Map(site.builds.map((b) => [b.name, b]));
    measure(site.time);
  },

  builds({ time, names, builds }) {
    if (!model.site) return;
    for (const b of builds ?? []) model.builds.set(b.name, b);
    model.names = names.filter((name) => model.builds.has(name));
    for (const name of model.builds.keys()) if (!names.includes(name)) model.builds.delete(name);
    measure(time);
  },

  history({ samples }) { past.replace(samples ?? []); },
};

function measure(time) {
  const at = Date.parse(time);
  for (const [name, b] of model.builds) past.add(at, name, b);
  past.keep(model.names);
}

// step is the worker that an arrow leads to from this one.
function step(dot, key) {
  const { order } = dot.row, at = order.indexOf(dot);
  if (key === "ArrowRight") return order[at + 1];
  if (key === "ArrowLeft") return order[at - 1];
  if (key === "Home") return order[0];
  if (key === "End") return order.at(-1);
  return line(order, dot, key === "ArrowDown" ? 1 : -1);
}

// line is the worker above or below.
function line(order, dot, way) {
  const box = dot.element.getBoundingClientRect();
  let best, nearest = Infinity;
  for (const other of order) {
    const at = other.element.getBoundingClientRect(), down = (at.top - box.top) * way;
    const distance = down * 1000 + Math.abs(at.left - box.left);
    if (down > 2 && distance < nearest) [best, nearest] = [other, distance];
  }
  return best;
}

board.addEventListener("keydown", (e) => {
  const dot = dotOf(e.target);
  if (!dot || e.ctrlKey || e.metaKey || e.altKey) return;
  if (["ArrowRight", "ArrowLeft", "ArrowUp", "ArrowDown", "Home", "End"].includes(e.key)) {
    e.preventDefault();
    step(dot, e.key)?.element.focus();
  } else if (e.key === "Enter" || e.key === " ") {
    e.preventDefault();
    choose(dot);
  }
});

function choose(dot) {
  panel.chosen = panel.focused = dot;
  dot.describe();
  panel.update();
}

document.addEventListener("keydown", (e) => { if (e.key === "Escape") panel.close(); });

board.addEventListener("focusin", (e) => {
  const dot = dotOf(e.target);
  // a finger's focus comes before its click, which would meet the details that
  // have come in between
  panel.focused = dot && dot.element.matches(":focus-visible") ? dot : null;
  if (dot) {
    dot.row.rove(dot);
    dot.describe();
  }
  panel.update();
});

board.addEventListener("focusout", (e) => {
  panel.focused = null;
  panel.update();
  const dot = dotOf(e.target);
  // it is still the active element while it loses the focus
  if (dot) queueMicrotask(() => dot.label());
});

board.addEventListener("click", (e) => {
  const dot = dotOf(e.target);
  if (dot) choose(dot);
});

document.addEventListener("click", (e) => {
  if (!dotOf(e.target) && !panel.element.contains(e.target)) panel.close();
});

board.addEventListener("pointerover", (e) => {
  if (e.pointerType === "mouse") panel.point(dotOf(e.target) ?? null);
});
board.addEventListener("pointerleave", () => panel.point(null));
panel.element.addEventListener("pointerenter", () => clearTimeout(panel.going));
panel.element.addEventListener("pointerleave", () => panel.point(null));
$(".close", panel.element).addEventListener("click", () => {
  const dot = panel.shown;
  panel.close();
  dot?.element.focus({ preventScroll: true });
  panel.close();
});
addEventListener("scroll", () => { if (panel.shown) panel.place(panel.shown); }, { passive: true });
addEventListener("resize", () => {
  rails.draw();
  if (panel.shown) panel.place(panel.shown);
});

// the colours are the system's, until somebody chooses
const schemes = { "": "auto", light: "light", dark: "dark" };

function useScheme(scheme) {
  document.documentElement.style.setProperty("color-scheme", scheme || "light dark");
  $("#scheme").textContent = schemes[scheme];
  $("#scheme").setAttribute("aria-label", `Colours: ${schemes[scheme]}`);
}

function storedScheme() {
  try {
    const scheme = localStorage.getItem("hadjango-scheme") ?? "";
    return scheme in schemes ? scheme : "";
  } catch {
    return ""; // a browser may forbid it
  }
}

$("#scheme").addEventListener("click", () => {
  const order = Object.keys(schemes), next = order[(order.indexOf(scheme) + 1) % order.length];
  useScheme(scheme = next);
  try {
    localStorage.setItem("hadjango-scheme", next);
  } catch { /* it holds for this page then */ }
});

document.addEventListener("visibilitychange", () => {
  clearTimeout(feed.resting);
  if (document.hidden) feed.resting = setTimeout(() => feed.rest(), restMillis);
  else if (!feed.source) feed.open();
});

let scheme = storedScheme();
useScheme(scheme);
rails.name();
feed.open();
setInterval(() => feed.watch(), 500);
setInterval(drawAges, 1000);
new ResizeObserver(() => rails.draw()).observe(board);
