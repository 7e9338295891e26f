// Light, dark, or as the system says.
import { signal } from "@preact/signals";
import { theme } from "./chart";

export type Choice = "system" | "light" | "dark";
export const choice = signal<Choice>("system");

export function choose(next: Choice): void {
  choice.value = next;
  if (next === "system") delete document.documentElement.dataset["theme"];
  else document.documentElement.dataset["theme"] = next;
  try {
    localStorage.setItem("theme", next);
  } catch {
    // Storage may be off; then the choice ends with the page.
  }
  theme.value += 1;
}

export function followTheme(): void {
  let kept: string | null = null;
  try {
    kept = localStorage.getItem("theme");
  } catch {
    kept = null;
  }
  if (kept === "light" || kept === "dark") choose(kept);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => (theme.value += 1));
}
