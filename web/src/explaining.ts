// Which code is being explained; "" for none.
import { signal } from "@preact/signals";

export const code = signal("");

export function explain(which: string): void {
  code.value = which;
}
