// Asks a gateway for a user's best items, and for those of somebody who is not in the ledger; then has the user forgotten and
// waits for the certificate.
//
//     node cluster/examples/gateway.ts http://127.0.0.1:8080 USER [ITEM …]
//
// A token is read from LETHE_TOKEN. Node 22.18, or any that takes types out of what it runs (22.6 with
// --experimental-strip-types); nothing is installed and nothing compiled. Types are only annotations here, so that they can be.

interface ScoredItem { item: string; title: string; probability: number; margin: number }
interface Adapter { shard: number; name: string; weight: number }
interface Answer { user: string; items: ScoredItem[]; adapters: Adapter[]; absent_shards: number[]; exact: boolean }
interface Rating { item: string; rating: number; timestamp?: number | string }
type Condition = string | number | { min?: number; max?: number };
interface Filter { exclude?: string[]; where?: Record<string, Condition> }
type Subject = { user: string } | { history: Rating[] };
interface ForgetRequest {
  number: number; request: string; state: "pending" | "finished"; method: string; received: string; due: string;
  overdue: boolean; finished?: string; bridge?: string;
}
interface Problem { type: string; title: string; status: number; detail: string; retry_after?: number }

const pause = (seconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, 1000 * seconds));

/** A refusal (RFC 9457); `type` is stable. */
class Refusal extends Error {
  readonly problem: Problem;

  constructor(problem: Problem) {
    super(`${problem.type}: ${problem.detail}`);
    this.problem = problem;
  }
}

class Gateway {
  readonly url: string;
  readonly headers: Record<string, string>;

  constructor(url: string, token?: string) {
    this.url = url.replace(/\/$/, "");
    this.headers = token ? { Authorization: `Bearer ${token}` } : {};
  }

  /** Who is asked to come back later comes back. */
  async call(path: string, body?: unknown, more: Record<string, string> = {}, attempts = 5): Promise<Response> {
    const kind: Record<string, string> = body === undefined ? {} : { "Content-Type": "application/json" };
    const reply = await fetch(this.url + path, {
      method: body === undefined ? "GET" : "POST", headers: { ...this.headers, ...kind, ...more },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    if (reply.ok) return reply;
    const problem = await reply.json() as Problem;
    if (![429, 503].includes(reply.status) || attempts <= 1) throw new Refusal(problem);
    await pause(problem.retry_after ?? 1);
    return this.call(path, body, more, attempts - 1);
  }

  async rank(subject: Subject, candidates: string[], top = 3, filter: Filter = {}): Promise<Answer> {
    const items = candidates.length ? { candidates } : {};
    return await (await this.call("/v1/rank", { ...subject, ...items, ...filter, top })).json() as Answer;
  }

  async forget(user: string): Promise<ForgetRequest> {
    // One name for all attempts: whatever becomes of a connection, it is done once.
    const reply = await this.call("/v1/forget", { user }, { "Idempotency-Key": crypto.randomUUID() });
    return (await reply.json() as { request: ForgetRequest }).request;
  }

  /** The signed statement, once every touched shard has a clean adapter. */
  async certificate(request: string, patience = 600): Promise<string> {
    const place = encodeURIComponent(request);
    for (const end = Date.now() + 1000 * patience; ;) {
      const seen = await (await this.call(`/v1/requests/${place}`)).json() as { request: ForgetRequest };
      if (seen.request.state === "finished") break;
      if (Date.now() > end) throw new Error(`request ${request} was accepted, and is not finished yet`);
      await pause(0.2);
    }
    return (await this.call(`/v1/certificates/${place}`)).text();
  }
}

const shown = (item: ScoredItem): string => `${item.probability.toFixed(3)}  ${item.title}`;

declare const process: { argv: string[]; env: Record<string, string | undefined> };

const [url, user, ...candidates] = process.argv.slice(2);
if (!url || !user) throw new Error("usage: node gateway.ts URL USER [ITEM …]");
const gateway = new Gateway(url, process.env.LETHE_TOKEN);
const best = (await gateway.rank({ user }, candidates)).items;
for (const item of best) console.log(shown(item));
// Somebody who likes the user's best item, and has it already.
const history = best.slice(0, 1).map(({ item }): Rating => ({ item, rating: 5 }));
const exclude = history.map((rating) => rating.item);
if (candidates.length !== 1) {
  const other = await gateway.rank({ history }, candidates, 1, { exclude });
  for (const item of other.items) console.log(`who likes it may like: ${shown(item)}`);
}
const request = await gateway.forget(user);
console.log(`forgotten as ${request.request}, due ${request.due}`);
console.log(await gateway.certificate(request.request));

export {};
