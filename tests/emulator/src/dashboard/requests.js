"use strict";

// The rows that the page holds. What is older is on a page of its own.
const ROWS = 100;

const at = (id) => document.getElementById(id);
const form = at("filters");

// The ordinal below which the shown page begins; null while the newest are shown, live.
let before = null;
let next = null;
let shown = new Map();
let chosen = null;
let stream = null;
let asked = 0;

/** All text goes through textContent: what programs send is never markup. */
function element(name, text, className) {
  const made = document.createElement(name);
  if (text !== undefined && text !== null) made.textContent = text;
  if (className) made.className = className;
  return made;
}

function query(more = {}) {
  const wanted = new URLSearchParams();
  for (const [name, value] of new FormData(form)) if (value.trim()) wanted.set(name, value.trim());
  for (const [name, value] of Object.entries(more)) wanted.set(name, value);
  return wanted;
}

async function ask(path) {
  const answer = await fetch("/dashboard/requests" + path);
  const body = await answer.json();
  if (!answer.ok) throw new Error(body.detail);
  return body;
}

function problem(text) {
  at("problem").textContent = text;
  at("problem").hidden = !text;
}

const time = (text) => new Date(text).toLocaleTimeString(undefined, { hour12: false });
const took = (ms) => ms === null ? "…" : ms < 1000 ? `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms` : `${(ms / 1000).toFixed(2)} s`;
const dollars = (cost) => cost === null ? "—" : `$${cost.toFixed(6).replace(/0{1,4}$/, "")}`;
const ENDS = { pending: "pending", reset: "reset", closed_by_fault: "cut by a fault", client_closed: "client left" };

function status(row) {
  const waits = row.outcome === "pending" || row.state === "IN_QUEUE" || row.state === "IN_PROGRESS";
  const text = row.state && typeof row.outcome === "number" && row.outcome < 400 ? row.state : ENDS[row.outcome] ?? row.outcome;
  return element("span", text, "state" + (row.failed ? " bad" : waits ? " wait" : ""));
}

const subject = (row) => row.endpoint ?? row.host + row.path;

function line(row) {
  const tr = document.createElement("tr");
  tr.dataset.ordinal = row.ordinal;
  tr.tabIndex = 0;
  tr.setAttribute("aria-selected", String(row.ordinal === chosen));
  const when = element("td");
  const clock = element("time", time(row.at));
  clock.dateTime = row.at;
  clock.title = row.at;
  when.append(clock);
  const what = element("td", null, "what");
  what.append(element("strong", `${row.method} ${subject(row)}`), element("span", row.unknown ?? row.preview ?? row.host + row.path, "quiet"));
  const ended = element("td");
  ended.append(status(row));
  tr.append(when, what, element("td", row.key_id ?? row.credential ?? "—", "key"), ended,
    element("td", took(row.duration_ms), "number"), element("td", dollars(row.cost), "number"));
  return tr;
}

/** Draws the rows that the page holds, newest first, and reuses those that did not change. */
function draw() {
  const ordinals = [...shown.keys()].sort((a, b) => b - a);
  for (const ordinal of ordinals.splice(ROWS)) shown.delete(ordinal);
  at("rows").replaceChildren(...ordinals.map((ordinal) => shown.get(ordinal).tr));
  at("empty").hidden = ordinals.length > 0;
  at("empty").textContent = query().size ? "No request is like that." : "Nothing has arrived yet.";
  at("older").disabled = next === null;
  at("newest").disabled = before === null;
  at("pager").hidden = next === null && before === null;
}

function take(row) {
  shown.set(row.ordinal, { row, tr: line(row) });
}

function tell({ dropped, dropped_bodies: bodies }) {
  const lost = [];
  if (dropped) lost.push(`${dropped} older requests`);
  if (bodies) lost.push(`the bodies of ${bodies} requests`);
  at("gone").hidden = lost.length === 0;
  at("gone").textContent = `The journal is full: it no longer holds ${lost.join(" and ")}. The setting “journal” says how much it holds.`;
}

function listSessions(names) {
  const select = at("session"), value = select.value;
  const wanted = ["", ...new Set([...names, value].filter(Boolean))];
  const options = wanted.map((name) => {
    const option = element("option", name || "none");
    option.value = name;
    return option;
  });
  select.replaceChildren(...options);
  select.value = value;
  at("sessions").hidden = wanted.length === 1;
}

/** Reads the page anew. */
async function load() {
  const mine = ++asked;
  try {
    const page = await ask(".json?" + query(before === null ? { limit: ROWS } : { limit: ROWS, before }));
    if (mine !== asked) return;
    problem("");
    shown = new Map();
    page.rows.forEach(take);
    next = page.next;
    at("count").textContent = `${page.matched} ${page.matched === 1 ? "request" : "requests"}, newest first.`;
    tell(page);
    listSessions(page.sessions);
    draw();
    if (chosen !== null) await open(chosen);
  } catch (error) {
    if (mine === asked) problem(error.message);
  }
}

/** Follows what arrives. The page is read once the stream is open, so that nothing falls between. */
function follow() {
  stream?.close();
  stream = new EventSource("/dashboard/requests/events?" + query());
  const mine = stream;
  const live = (text, lost) => {
    if (mine !== stream) return;
    at("live").textContent = text;
    at("live").classList.toggle("lost", lost);
  };
  live("Connecting…", false);
  stream.onopen = () => { live("Live", false); load(); };
  stream.onerror = () => live("Not connected", true);
  stream.addEventListener("reset", () => { if (mine === stream) restart(); });
  stream.addEventListener("rows", (event) => { if (mine === stream) changed(JSON.parse(event.data)); });
}

function restart() {
  before = null;
  load();
}

function changed(news) {
  tell(news);
  const newest = Math.max(0, ...shown.keys());
  let arrived = 0;
  for (const row of news.rows) {
    if (shown.has(row.ordinal)) take(row);
    else if (before === null && row.ordinal > newest) { take(row); arrived += 1; }
    if (row.ordinal === chosen) open(chosen);
  }
  if (arrived) {
    const count = parseInt(at("count").textContent, 10) + arrived;
    at("count").textContent = `${count} ${count === 1 ? "request" : "requests"}, newest first.`;
    if (shown.size > ROWS) next = [...shown.keys()].sort((a, b) => b - a)[ROWS - 1];
  }
  draw();
}

// ---- One request ----------------------------------------------------------------------------------------------------

function facts(pairs) {
  const list = element("dl", null, "facts");
  for (const [name, value] of pairs) if (value !== null && value !== undefined) list.append(element("dt", name), element("dd", value));
  return list;
}

function player(medium) {
  const made = element({ image: "img", video: "video", audio: "audio" }[medium.kind]);
  if (medium.kind === "image") made.alt = "A picture of this request";
  else made.controls = true;
  // A picture of somewhere else is not loaded: the server names only its own files.
  made.src = medium.source;
  if (medium.url) made.title = medium.url;
  return made;
}

function body(title, content) {
  if (!content || (!content.length && !content.text)) return [];
  const parts = [element("h3", title)];
  if (content.media?.length) {
    const media = element("div", null, "media");
    media.append(...content.media.map(player));
    parts.push(media);
  }
  if (content.text) parts.push(element("pre", content.text));
  else if (!content.media?.length) parts.push(element("p", `${content.length} bytes that are not kept as text.`, "quiet small"));
  if (content.kept < content.length) parts.push(element("p", `The first ${content.kept} of ${content.length} bytes.`, "quiet small"));
  return parts;
}

function curl(one) {
  const parts = [element("h3", "Again, with curl")];
  if (!one.curl) return [...parts, element("p", one.no_curl, "quiet small")];
  const copy = element("button", "Copy", "copy");
  copy.type = "button";
  copy.id = "copy";
  const text = element("pre", one.curl);
  text.id = "curl";
  copy.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(one.curl);
    } catch {
      getSelection().selectAllChildren(text);
      document.execCommand("copy");
    }
    copy.textContent = "Copied";
  });
  return [...parts, text, copy];
}

function way(states) {
  const list = element("ol", null, "way");
  let earlier = null;
  for (const { state, at: when } of states) {
    const item = element("li");
    item.append(element("span", state, "state"), ` ${time(when)}`);
    if (earlier !== null) item.append(element("span", ` after ${took(Date.parse(when) - earlier)}`, "quiet"));
    earlier = Date.parse(when);
    list.append(item);
  }
  return [element("h3", "In the queue"), list];
}

function price(run, cost) {
  if (!run) return null;
  if (run.own) return "none: an app of the own account";
  return cost === null ? null : `${dollars(cost)}: ${run.units} × ${dollars(run.unit_price)} per ${run.unit}`;
}

function describe(one) {
  const close = element("button", "Close");
  close.type = "button";
  close.id = "close";
  close.addEventListener("click", () => choose(null));
  const title = element("h2");
  title.append(element("span", `${one.method} ${subject(one)}`), close);
  const parts = [title, facts([
    ["Status", ENDS[one.outcome] ?? one.outcome],
    ["Not known here", one.unknown],
    ["Address", `https://${one.host}${one.path}${one.query ? "?" + one.query : ""}`],
    ["Key id", one.key_id ?? one.credential ?? "none"],
    ["Request id", one.request_id],
    ["Arrived", one.at],
    ["Took", took(one.duration_ms)],
    ["Waited", one.run && took(one.run.waited_s * 1000)],
    ["Ran", one.run && one.run.ran_s !== null ? took(one.run.ran_s * 1000) : null],
    ["Result", one.run && `${one.run.status ?? "running"}${one.run.error_type ? ", " + one.run.error_type : ""}`],
    ["Cost", price(one.run, one.cost)],
  ])];
  if (one.states) parts.push(...way(one.states));
  if (one.dropped) parts.push(element("p", "The journal is full, and the bodies of this request are no longer there.", "quiet small"));
  parts.push(...body("Input", one.input));
  const same = one.output && one.output.text === one.response?.text;
  if (one.output) parts.push(...body("Output", one.output));
  if (!same) parts.push(...body("Response", one.response));
  parts.push(...curl(one));
  if (one.run?.log.length) {
    const log = element("details");
    log.append(element("summary", `Log, ${one.run.log.length} lines`), element("pre", one.run.log.map((entry) => `${time(entry.at)} ${entry.level} ${entry.message}`).join("\n")));
    parts.push(log);
  }
  const heads = element("details");
  heads.append(element("summary", "Headers"), element("pre", Object.entries(one.headers).map(([name, value]) => `${name}: ${value}`).join("\n")));
  parts.push(heads);
  return parts;
}

async function open(ordinal) {
  try {
    const one = await ask(`/${ordinal}.json?` + new URLSearchParams({ session: at("session").value }));
    if (ordinal !== chosen) return;
    const opened = [...at("detail").querySelectorAll("details")].map((part) => part.open);
    at("detail").replaceChildren(...describe(one));
    at("detail").hidden = false;
    at("detail").querySelectorAll("details").forEach((part, index) => { part.open = opened[index] ?? false; });
  } catch (error) {
    if (ordinal === chosen) choose(null);
  }
}

function choose(ordinal) {
  chosen = ordinal;
  for (const tr of at("rows").children) tr.setAttribute("aria-selected", String(Number(tr.dataset.ordinal) === chosen));
  if (ordinal === null) at("detail").hidden = true;
  else open(ordinal).then(() => {
    at("detail").focus({ preventScroll: true });
    at("detail").scrollIntoView({ block: "nearest" });
  });
}

function chose(event) {
  const tr = event.target.closest("tr[data-ordinal]");
  if (tr) choose(Number(tr.dataset.ordinal));
}

at("rows").addEventListener("click", chose);
at("rows").addEventListener("keydown", (event) => {
  if (event.key === "Enter" || event.key === " ") { event.preventDefault(); chose(event); }
});
at("older").addEventListener("click", () => { before = next; load(); });
at("newest").addEventListener("click", restart);

let typing = null;
function refilter() {
  clearTimeout(typing);
  typing = setTimeout(() => { before = null; follow(); }, 200);
}
form.addEventListener("input", refilter);
form.addEventListener("reset", refilter);
form.addEventListener("submit", (event) => event.preventDefault());
at("session").addEventListener("change", () => { choose(null); refilter(); });

follow();
