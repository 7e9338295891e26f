// The pages of a run, in the order of their tabs. A page gets the run from `live` and `overview`,
// and what stands behind "?" in the address from `route`.
import type { ComponentType } from "preact";
import { Data } from "./pages/data";
import { Doctor } from "./pages/doctor";
import { Layers } from "./pages/layers";
import { Overview } from "./pages/overview";
import { Predictions } from "./pages/predictions";
import { Microscope } from "./scope/page";

export interface Page { readonly name: string; readonly title: string; readonly view: ComponentType }

export const PAGES: readonly Page[] = [
  { name: "overview", title: "Overview", view: Overview },
  { name: "layers", title: "Layers", view: Layers },
  { name: "predictions", title: "Predictions", view: Predictions },
  { name: "data", title: "Data & settings", view: Data },
  { name: "doctor", title: "Doctor", view: Doctor },
  { name: "scope", title: "Microscope", view: Microscope },
];
