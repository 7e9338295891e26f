// Where the reader is: #/, #/run/<id>/<page>?key=value, #/compare?run=a&run=b.
import { signal } from "@preact/signals";

export interface Route {
  readonly page: string; // "runs", "compare", or a page of a run
  readonly run: string; // "" outside of a run
  readonly query: URLSearchParams;
}

export const route = signal<Route>(read());

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

function read(): Route {
  const [path = "", query = ""] = location.hash.replace(/^#\/?/, "").split("?");
  const parts = path.split("/").map(decoded);
  const search = new URLSearchParams(query);
  if (parts[0] === "run" && parts[1]) {
    return { page: parts[2] || "overview", run: parts[1], query: search };
  }
  return { page: parts[0] === "compare" ? "compare" : "runs", run: "", query: search };
}

export function href(page: string, run = "", query: Record<string, string | string[]> = {}): string {
  const search = new URLSearchParams();
  for (const [key, value] of Object.entries(query)) {
    for (const each of Array.isArray(value) ? value : [value]) search.append(key, each);
  }
  const tail = search.size ? `?${search}` : "";
  if (run) return `#/run/${encodeURIComponent(run)}/${page}${tail}`;
  return page === "runs" ? `#/${tail}` : `#/${page}${tail}`;
}

// Changes what follows "?", without a further step back in the browser's history.
export function setQuery(query: Record<string, string | string[]>): void {
  const { page, run } = route.value;
  history.replaceState(null, "", href(page, run, query));
  route.value = read();
}

addEventListener("hashchange", () => {
  const before = route.value;
  route.value = read();
  if (before.page !== route.value.page || before.run !== route.value.run) scrollTo(0, 0);
});
