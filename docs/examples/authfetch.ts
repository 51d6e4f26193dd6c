// A fetch that stays signed in to Dragoman. It adds the access token, and swaps it for a new one shortly before its end
// or when a server refuses it: once for all callers, in all tabs that share the storage. Copy this file; that is all.
export type Tokens = { accessToken: string; refreshToken?: string | null; expiresIn: number };
export type Options = {
  url: string; // Dragoman's GraphQL
  storage: Store; // localStorage, sessionStorage, memory(), or AsyncStorage of React Native
  origins?: string[]; // who gets the token: Dragoman alone, unless you name your own backend too
  onSignedOut?: () => void; // the session has ended elsewhere: show the sign-in form
};
type Store = { getItem(k: string): unknown; setItem(k: string, v: string): unknown; removeItem(k: string): unknown };
type Kept = Tokens & { until: number };
export function memory(kept = new Map<string, string>()): Store {
  return { getItem: (k) => kept.get(k) ?? null, setItem: (k, v) => kept.set(k, v), removeItem: (k) => kept.delete(k) };
}
export function authFetch({ url, storage, origins = [new URL(new Request(url).url).origin], onSignedOut }: Options) {
  const key = `dragoman ${url}`;
  const tokens = async (): Promise<Kept | null> => JSON.parse(String((await storage.getItem(key)) ?? null));
  const save = (t: Tokens) => storage.setItem(key, JSON.stringify({ ...t, until: Date.now() + t.expiresIn * 1000 }));
  const send = (request: Request, { accessToken }: Kept) =>
    (request.headers.set("Authorization", `Bearer ${accessToken}`), fetch(request));
  async function ask(field: string, fields: string, refreshToken: Tokens["refreshToken"]) {
    const query = `mutation ($token: String!) { ${field}(input: { refreshToken: $token }) { ${fields} } }`;
    const body = JSON.stringify({ query, variables: { token: refreshToken } });
    const post = { method: "POST", body, signal: AbortSignal.timeout(10_000) };
    return (await fetch(url, { ...post, headers: { "Content-Type": "application/json" } })).json().catch(() => ({}));
  }
  async function swap(used: string): Promise<Kept | null> {
    const before = await tokens();
    if (before?.accessToken !== used) return before; // another tab was first
    const { data, errors } = await ask("refresh", "tokens { accessToken refreshToken expiresIn }", before.refreshToken);
    if (!data?.refresh) throw new Error(errors?.[0]?.message ?? "no answer"); // no refusal: the token stays, for later
    if ((await tokens())?.accessToken !== used) return tokens(); // the person signed out, or in, meanwhile
    await (data.refresh.tokens ? save(data.refresh.tokens) : storage.removeItem(key));
    return data.refresh.tokens ? tokens() : (onSignedOut?.(), null);
  }
  let running: Promise<Kept | null> | undefined; // what all callers of this tab wait for; the lock is for other tabs
  const locked = (used: string) => new Promise<Kept | null>((done, failed) => {
    // What one tab stores reaches the others a moment later, so the lock is kept a moment longer.
    const work = () => swap(used).then(done, failed).then(() => new Promise((go) => setTimeout(go, 500)));
    Promise.resolve(globalThis.navigator?.locks?.request(key, work) ?? work()).catch(failed);
  });
  const refresh = (used: string) => (running ??= locked(used).finally(() => (running = undefined)));
  async function fetchSignedIn(input: RequestInfo | URL, init?: RequestInit): Promise<Response> {
    const request = new Request(input, init);
    let now = origins.includes(new URL(request.url).origin) ? await tokens() : null;
    if (now && now.until - Date.now() < 5000) now = await refresh(now.accessToken).catch(() => now);
    if (!now) return fetch(request);
    const response = await send(request.clone(), now);
    const body = response.headers.get("Content-Type")?.includes("json") && await response.clone().json().catch(() => 0);
    const codes = body?.errors?.map((error: { extensions?: { code?: string } }) => error.extensions?.code);
    const fresh = response.status === 401 || codes?.includes("UNAUTHENTICATED") ? await refresh(now.accessToken) : null;
    return fresh ? send(request, fresh) : response;
  }
  async function signOut() {
    const now = await tokens();
    await storage.removeItem(key);
    if (now) await ask("logout", "userErrors { code }", now.refreshToken);
  }
  return { fetch: fetchSignedIn, tokens, save, refresh, signOut };
}
