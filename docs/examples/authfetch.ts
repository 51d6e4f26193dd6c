// A fetch that stays signed in to Dragoman. It adds the access token, and swaps it for a new one shortly before its end
// or when a server refuses it: once for all callers, in all tabs that share the storage. Copy this file; that is all.
export type Tokens = { accessToken: string; refreshToken?: string | null; expiresIn: number };
export type Options = {
  url: string; // Dragoman's GraphQL
  storage: Store; // localStorage, sessionStorage, memory(), or AsyncStorage of React Native
  origins?: string[]; // who gets the token: Dragoman's origin alone, unless you name your own backend too
  onSignedOut?: () => void; // the session has ended elsewhere: show the sign-in form
};
type Store = { getItem(k: string): unknown; setItem(k: string, v: string): unknown; removeItem(k: string): unknown };
type Kept = Tokens & { until: number };
export function memory(kept = new Map<string, string>()): Store {
  return { getItem: (k) => kept.get(k) ?? null, setItem: (k, v) => kept.set(k, v), removeItem: (k) => kept.delete(k) };
}
export function authFetch({ url, storage, origins = [new URL(new Request(url).url).origin], onSignedOut }: Options) {
  const key = `dragoman ${url}`, spent = (used: string) => `${key} ${used.slice(-20)}`;
  const locks = globalThis.navigator?.locks; // one order of events in all tabs, which storage does not have
  const tokens = async (): Promise<Kept | null> => JSON.parse(String((await storage.getItem(key)) ?? null));
  const save = (t: Tokens) => storage.setItem(key, JSON.stringify({ ...t, until: Date.now() + t.expiresIn * 1000 }));
  const send = (r: Request, now: Kept) => (r.headers.set("Authorization", `Bearer ${now.accessToken}`), fetch(r));
  async function ask(field: string, fields: string, token: Tokens["refreshToken"]) {
    const query = `mutation ($token: String!) { ${field}(input: { refreshToken: $token }) { ${fields} } }`;
    const post = { method: "POST", headers: { "Content-Type": "application/json" }, signal: AbortSignal.timeout(1e4) };
    return (await fetch(url, { ...post, body: JSON.stringify({ query, variables: { token } }) })).json().catch(() => 0);
  }
  async function swap(used: string): Promise<Kept | null> {
    let before = await tokens();
    while (before?.accessToken === used && (await locks?.query())?.held?.some((lock) => lock.name === spent(used)))
      before = await new Promise((go) => setTimeout(go, 20)).then(tokens);
    if (before?.accessToken !== used) return before; // another tab was first
    const { data, errors } = await ask("refresh", "tokens { accessToken refreshToken expiresIn }", before.refreshToken);
    if (!data?.refresh) throw new Error(errors?.[0]?.message ?? "no answer"); // no refusal: the token stays, for later
    if ((await tokens())?.accessToken !== used) return tokens(); // the person signed out, or in, meanwhile
    await (data.refresh.tokens ? save(data.refresh.tokens) : storage.removeItem(key));
    // Other tabs may see what is stored after they get the lock; the lock of the spent token they cannot miss.
    const over = () => new Promise((go) => (AbortSignal.timeout(2000).onabort = go));
    if (locks) await new Promise((held) => locks.request(spent(used), (lock) => (held(lock), over())));
    return data.refresh.tokens ? tokens() : (onSignedOut?.(), null);
  }
  let running: Promise<Kept | null> | undefined; // what all callers of this tab wait for; the lock is for other tabs
  const locked = async (used: string) => locks?.request(key, () => swap(used)) ?? swap(used);
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
