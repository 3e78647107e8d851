"use strict";

const $ = (id) => document.getElementById(id);
let token = sessionStorage.getItem("lethe-token") || "";
let stopWatching = () => {};
/** Counts tokens: what was asked with an earlier one is not shown. */
let tokens = 0;
/** Milliseconds without a byte after which nothing is expected to come any more; a stream says every ten seconds that it is there. */
const SILENCE = 25000;

/** An element with attributes and children; texts are texts, never markup. */
function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== null) made.setAttribute(key, value);
  }
  made.append(...children.filter((child) => child !== undefined && child !== null));
  return made;
}

class Refusal extends Error {
  constructor(status, text) { super(text); this.status = status; }
}

async function ask(path, options = {}) {
  const headers = { ...(options.headers || {}) };
  if (token) headers.Authorization = `Bearer ${token}`;
  const response = await fetch(path, { ...options, headers, cache: "no-store" });
  if (response.ok) return response;
  let text = `${response.status}`;
  try { const problem = await response.json(); text = `${problem.title}: ${problem.detail}`; } catch { /* no problem's body */ }
  throw new Refusal(response.status, text);
}

const post = (path, body, headers = {}) =>
  ask(path, { method: "POST", body: JSON.stringify(body), headers: { "Content-Type": "application/json", ...headers } });

const short = (name) => element("span", { class: "mono", title: name }, name.length > 16 ? name.slice(0, 12) + "…" : name);
const time = (text) => element("time", { datetime: text }, new Date(text).toLocaleString([], { dateStyle: "medium", timeStyle: "short" }));
const state = (text, kind) => element("span", { class: `state ${kind}` }, text);
const cell = (label, ...children) => element("td", { "data-label": label }, element("span", {}, ...children));
const reasons = (retrieval) => [
  [retrieval.liked_together, "liked together with what is liked here"], [retrieval.popular, "liked by most"], [retrieval.others, "of the rest, by id"],
].filter(([count]) => count > 0).map(([count, why]) => `${count.toLocaleString()} ${why}`).join(", ");
const empty = (columns, text) => element("tr", {}, element("td", { colspan: columns, class: "empty quiet" }, text));
const percent = (value) => `${(100 * value).toFixed(1)} %`;

/** Puts rows where they changed only: focus and a reader's place stay. */
const shown = new Map();
function show(id, data, build) {
  const text = JSON.stringify(data);
  if (shown.get(id) === text) return;
  shown.set(id, text);
  $(id).replaceChildren(...build());
}

/** Nothing of what an earlier token was shown, or asked for, stays. */
function clear() {
  tokens += 1;
  shown.clear();
  for (const id of ["cluster", "numbers", "shards", "workers", "requests", "audit", "answer", "forgotten"]) $(id).replaceChildren();
  $("cluster").title = "";
  for (const form of ["ask-form", "forget-form"]) $(form).reset();
  for (const dialog of ["confirm", "certificate"]) if ($(dialog).open) $(dialog).close("no");
  for (const id of ["confirm-text", "confirm-plan", "certificate-text"]) $(id).replaceChildren();
  $("certificate-bytes").value = "";
  URL.revokeObjectURL($("certificate-file").href);
  $("certificate-file").removeAttribute("href");
  say("connecting …", "");
}

/**
 * Shows a line, and has it read out where it tells of another state: progress, which changes every second, is only seen.
 * @param {string} [heard] without progress; the line itself, if that tells of none.
 */
function say(line, kind, heard = line) {
  for (const [id, text] of [["activity", line], ["announcement", heard]]) if ($(id).textContent !== text) $(id).textContent = text;
  $("activity").className = kind;
}

const KINDS = {
  current: ["exact", "good"], approximate: ["approximate", "fair"], bridged: ["approximate, until retrained", "fair"],
  correcting: ["being corrected", "bad"], training: ["training", "fair"], damaged: ["damaged", "bad"],
  quarantined: ["quarantined", "bad"], outdated: ["older data", "fair"], empty: ["empty", "quiet"], untrained: ["never trained", "quiet"],
};

/** What of a shard's slices its adapter was trained on, where it is a stage that answers until the training is done. */
function stage(shard) {
  if (!shard.stage) return undefined;
  const slices = Math.max(shard.slices || 0, shard.stage);
  const squares = Array.from({ length: Math.min(slices, 32) }, (_, index) =>
    element("span", { class: index < shard.stage ? "full" : undefined }));
  const text = shard.slices ? `stage ${shard.stage} of ${slices}` : `stage ${shard.stage}`;
  return element("span", { class: "stage" }, element("span", { class: "squares", "aria-hidden": "true" }, ...squares),
    ` answers from ${text}, ${shard.exact === false ? "approximate" : "exact"}`);
}

function training(task) {
  // What is not kept a coordinator of before says in its line only, behind the progress.
  const note = task.unkept || task.description.split(" s left; ").slice(1).join(" s left; ");
  if (!task.steps) {
    return element("span", {}, task.description + (note && !task.description.includes(note) ? `; ${note}` : ""));
  }
  return element("span", {},
    element("progress", { max: task.steps, value: task.step || 0, "aria-label": task.description }), " ",
    `${task.step || 0} of ${task.steps}` + (task.loss > 0 ? `, loss ${task.loss.toFixed(3)}` : "")
      + (note ? `; ${note}` : ""));
}

/** What is done, without how far it is. */
function doing(status, tasks) {
  for (const [kind, verb] of [["correct", "correcting"], ["train", "training"]]) {
    const shards = tasks.filter((task) => task.kind === kind).map((task) => task.shard).sort((a, b) => a - b);
    if (shards.length > 5) return `${verb} ${shards.length} shards`;
    if (shards.length) return `${verb} ${shards.length === 1 ? "shard" : "shards"} ${shards.join(", ")}`;
  }
  return status.activity.split(/[,:;]/)[0].replace(/\d+ (prompts)/, "$1");
}

function showStatus(status) {
  $("cluster").textContent = status.cluster.slice(0, 12);
  $("cluster").title = status.cluster;
  // A coordinator of before names the request in its own line.
  const named = ({ description, request }) => request && !description.includes(request) ? `${description} (${request})` : description;
  const trouble = status.stuck.map(named).concat(status.disputes);
  const tasks = status.workers.flatMap((worker) => worker.tasks);
  say([status.activity, ...trouble].join("; "), trouble.length ? "bad" : "", [doing(status, tasks), ...trouble].join("; "));
  const numbers = [
    [status.statistics.users, "people"], [status.statistics.interactions, "interactions"],
    [status.workers.filter((worker) => worker.state === "live").length, "workers"],
    ...((status.questions || {}).gateways === undefined ? [] : [[status.questions.gateways, "gateways that may answer"]]),
    [(status.questions || {}).waiting || 0, "questions waiting"], [(status.questions || {}).answered || 0, "answered"],
    [status.pending_forgets_total ?? status.pending_forgets.length, "requests pending"],
  ];
  show("numbers", numbers, () => numbers.map(([value, name]) =>
    element("div", {}, element("dt", {}, name), element("dd", {}, value.toLocaleString()))));
  show("shards", [status.shards, tasks], () => status.shards.map((shard) => {
    const [name, kind] = shard.stage && shard.state === "outdated" ? ["to be trained again", "fair"]
      : KINDS[shard.state] || [shard.state, "quiet"];
    const task = tasks.find((task) => task.shard === shard.shard && ["train", "correct"].includes(task.kind));
    return element("tr", {},
      cell("Shard", `${shard.shard}`), cell("State", state(name, kind)), cell("Prompts", shard.prompts.toLocaleString()),
      cell("Adapter", shard.adapter ? short(shard.adapter) : "none", shard.method ? ` ${shard.method}` : "", stage(shard)),
      cell("Training", task ? training(task) : shard.damage || shard.fallback || "–"));
  }));
  show("workers", status.workers.map(({ last_seen_seconds, uptime_seconds, away_seconds, ...rest }) => rest), () => status.workers.length
    ? status.workers.map((worker) => element("tr", {},
      cell("Worker", short(worker.id), ` ${worker.name}`), cell("State", state(worker.state, worker.state === "live" ? "good" : "bad")),
      cell("Shards", worker.shards.join(", ") || "–"),
      cell("Doing", ...(worker.tasks.length ? worker.tasks.flatMap((task) => [training(task), element("br")]) : ["nothing"]))))
    : [empty(4, "No worker is there.")]);
}

function showEvidence(evidence) {
  const pending = evidence.pending || [];
  const known = new Set(pending.map((request) => request.number));
  const requests = pending.concat((evidence.latest || []).filter((request) => !known.has(request.number)));
  show("requests", [requests, evidence.pending === undefined], () => {
    if (evidence.pending === undefined) return [empty(5, "The token may not see them.")];
    if (!requests.length) return [empty(5, "Nobody was forgotten yet.")];
    return requests.map((request) => {
      const button = element("button", { type: "button", class: "plain", "aria-label": `Certificate of request ${request.request}` }, "show");
      button.addEventListener("click", () => showCertificate(request.request));
      const isDone = request.state === "finished";
      return element("tr", {},
        cell("Request", short(request.request), ` ${request.method}`),
        cell("State", state(request.overdue ? "overdue" : request.state, request.overdue ? "bad" : isDone ? "good" : "fair")),
        cell("Received", time(request.received)), cell("Due", time(request.due)),
        cell("Certificate", isDone ? button : "not yet"));
    });
  });
  const head = evidence.audit_head;
  show("audit", head || null, () => head
    ? [`Entry ${head.sequence}, `, time(head.time), `, ${head.kind}: `, element("code", { class: "mono" }, head.hash)]
    : ["The token may not see it."]);
}

function showOverview(overview) {
  showStatus(overview.status);
  showEvidence(overview.evidence);
}

function showTrouble(error) {
  say(error.status === 401 ? "The gateway asks for a token." : `${error.message}`, "bad");
}

/** Whether the token may not see this, or not any more. */
const isRefused = (error) => error instanceof Refusal && [401, 403].includes(error.status);

/** Work that is given up when nothing has come for a while, or with the signal; it calls `heard` whenever something came. */
async function listening(signal, work) {
  const control = new AbortController();
  const end = () => control.abort();
  let [timer, isSilent] = [0, false];
  const heard = () => {
    clearTimeout(timer);
    timer = setTimeout(() => { isSilent = true; control.abort(); }, SILENCE);
  };
  signal.addEventListener("abort", end);
  heard();
  try {
    return await work(control.signal, heard);
  } catch (error) {
    if (!isSilent) throw error;
    throw new Refusal(0, `The gateway has said nothing for ${SILENCE / 1000} s; what is shown may be old.`);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", end);
    control.abort();
  }
}

/** Reads server-sent events; the browser's own reader cannot show a token. `came` is called whenever something came. */
async function stream(signal, came) {
  const response = await ask("/v1/events", { signal });
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done || signal.aborted) return;
    came();
    text += value;
    for (let end = text.indexOf("\n\n"); end >= 0; end = text.indexOf("\n\n")) {
      const lines = text.slice(0, end).split("\n");
      text = text.slice(end + 2);
      const data = lines.filter((line) => line.startsWith("data: ")).map((line) => line.slice(6)).join("\n");
      if (!data) continue;
      if (lines.includes("event: problem")) {
        const problem = JSON.parse(data);
        showTrouble(new Refusal(problem.status, `${problem.title}: ${problem.detail}`));
      } else {
        showOverview(JSON.parse(data));
      }
    }
  }
}

const pause = (milliseconds, signal) => new Promise((resolve) => {
  const timer = setTimeout(resolve, milliseconds);
  signal.addEventListener("abort", () => { clearTimeout(timer); resolve(); });
});

/** Follows the events, and asks each second where they do not come through. */
async function watch() {
  stopWatching();
  const control = new AbortController();
  const signal = control.signal;
  stopWatching = () => control.abort();
  /** Stops where the token may not see this; then nothing of what it was shown stays. */
  const told = (error) => {
    if (signal.aborted) return;
    if (isRefused(error)) { control.abort(); clear(); }
    showTrouble(error);
  };
  while (!signal.aborted) {
    let came = false;
    try {
      await listening(signal, (within, heard) => stream(within, () => { came = true; heard(); }));
    } catch (error) {
      // Whatever else it is the overview tells.
      if (isRefused(error) || error.status === 0) told(error);
    }
    // Where no event came at all, as through a proxy that keeps them back, they are not waited for each time.
    for (let asked = 0; !signal.aborted && asked < (came ? 1 : 30); asked += 1) {
      try {
        const overview = await listening(signal, async (within) => (await ask("/v1/overview", { signal: within })).json());
        if (!signal.aborted) showOverview(overview);
      } catch (error) {
        told(error);
      }
      await pause(1000, signal);
    }
  }
}

function bars(rows) {
  return element("ul", { class: "bars" }, ...rows.map(({ name, value, text }) => {
    const bar = element("span", { class: "bar", "aria-hidden": "true" });
    bar.style.width = `${Math.max(0, Math.min(1, value)) * 100}%`;
    return element("li", {}, bar, element("span", { class: "name" }, name), element("span", { class: "value" }, text));
  }));
}

function trouble(error) { return element("p", { class: "bad" }, error.message); }

async function submit(form, place, work) {
  const button = form.querySelector("button[type=submit]");
  const asked = tokens;
  button.disabled = true;
  try {
    const parts = await work();
    if (asked === tokens) place.replaceChildren(...parts);
  } catch (error) {
    if (asked === tokens) place.replaceChildren(trouble(error));
  } finally {
    button.disabled = false;
  }
}

/** Of an adapter that is a stage. */
function part(adapter) {
  if (!adapter.stage) return "";
  return adapter.slices ? `, stage ${adapter.stage} of ${adapter.slices}` : `, stage ${adapter.stage}`;
}

async function question() {
  const candidates = $("ask-items").value.split("\n").map((line) => line.trim()).filter((line) => line);
  const body = { user: $("ask-user").value, top: Number($("ask-top").value) };
  if (candidates.length) body.candidates = candidates;
  const reply = await (await post("/v1/rank", body)).json();
  const weights = reply.adapters.map((adapter) => ({ name: `shard ${adapter.shard}${part(adapter)}`, value: adapter.weight, text: percent(adapter.weight) }));
  const parts = [
    bars(reply.items.map((item) => ({ name: `${item.title} (${item.item})`, value: item.probability, text: percent(item.probability) }))),
    element("h3", {}, "Weights of the adapters"),
    weights.length ? bars(weights) : element("p", { class: "quiet" }, "No adapter took part: the base model answered."),
  ];
  if (weights.length) {
    parts.push(element("p", { class: "quiet" },
      reply.exact ? "All that took part are exactly trained." : "Approximate adapters took part."));
  }
  if (reply.retrieval) {
    parts.push(element("p", { class: "quiet" },
      `Ranked: ${reply.retrieval.candidates} candidates of ${reply.retrieval.of.toLocaleString()} items (${reasons(reply.retrieval)}).`));
  }
  if (reply.absent_shards.length) {
    parts.push(element("p", { class: "bad" }, `Absent: the adapters of shards ${reply.absent_shards.join(", ")}.`));
  }
  return parts;
}

function confirmed() {
  return new Promise((resolve) => {
    const dialog = $("confirm");
    dialog.returnValue = "no";
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
    dialog.showModal();
  });
}

async function forget() {
  const [user, item] = [$("forget-user").value.trim(), $("forget-item").value.trim()];
  const body = item ? { interactions: [{ user, item }] } : { user };
  const asked = tokens;
  const plan = await (await post("/v1/forget", { ...body, dry_run: true })).json();
  if (asked !== tokens) return [];
  const retrained = plan.shards.filter((shard) => shard.retrains).length;
  $("confirm-text").textContent = item ? `What user ${user} did with item ${item}.` : `Everything of user ${user}.`;
  $("confirm-plan").textContent = `Interactions that go: ${plan.counts.interactions}; shards that are trained again: ${retrained}. This cannot be undone.`;
  if (!await confirmed()) return [element("p", { class: "quiet" }, "Nothing was forgotten.")];
  const reply = await (await post("/v1/forget", body, { "Idempotency-Key": crypto.randomUUID ? crypto.randomUUID() : `${Date.now()}-${Math.random()}` })).json();
  if (asked === tokens) $("forget-form").reset();
  return [element("p", {}, "Accepted as ", short(reply.request.request), "; due ", time(reply.request.due), ".")];
}

function decoded(part) {
  const bytes = Uint8Array.from(atob(part.replaceAll("-", "+").replaceAll("_", "/")), (character) => character.charCodeAt(0));
  return new TextDecoder().decode(bytes);
}

async function showCertificate(id) {
  const asked = tokens;
  try {
    const text = await (await ask(`/v1/certificates/${encodeURIComponent(id)}`)).text();
    if (asked !== tokens) return;
    $("certificate-bytes").value = text;
    $("certificate-text").textContent = JSON.stringify(JSON.parse(decoded(text.split(".")[1])), null, 2);
    const link = $("certificate-file");
    URL.revokeObjectURL(link.href);
    link.href = URL.createObjectURL(new Blob([text], { type: "application/jose" }));
    link.download = `certificate-${id}.jws`;
    $("certificate").showModal();
    $("certificate-bytes").scrollTop = 0;
  } catch (error) {
    if (asked === tokens) showTrouble(error);
  }
}

$("ask-form").addEventListener("submit", (event) => {
  event.preventDefault();
  submit(event.target, $("answer"), question);
});
$("forget-form").addEventListener("submit", (event) => {
  event.preventDefault();
  submit(event.target, $("forgotten"), forget);
});
$("token-form").addEventListener("submit", (event) => {
  event.preventDefault();
  token = $("token").value.trim();
  if (token) sessionStorage.setItem("lethe-token", token); else sessionStorage.removeItem("lethe-token");
  $("token").value = "";
  clear();
  watch();
});
watch();
