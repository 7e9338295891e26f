// What the microscope shows. The shapes are those of src/chainrule/microscope/shown.py.
export type Cell = string | number | null;

export interface Term { label: string; factors: number[]; value: number; shown: string }

export interface Text { type: "text"; text: string }
export interface Sum {
  type: "sum"; title: string; formula: string; heads: string[]; terms: Term[]; hidden: number;
  rest: string; total: number; shown: string;
}
export interface Table { type: "table"; title: string; heads: string[]; rows: Cell[][]; words: string }
export interface Curve {
  type: "curve"; title: string; x: number[]; y: number[]; at: [number, number]; slope: number; words: string;
}
export interface Grid {
  type: "grid"; title: string; values: number[][]; mark: [number, number] | null;
  box: [number, number, number, number] | null; rows: string; columns: string; words: string;
}
export interface Bars { type: "bars"; title: string; labels: string[]; values: number[]; words: string }
export type Part = Text | Sum | Table | Curve | Grid | Bars;

export interface View { title: string; path: string[]; parts: Part[] }

export interface Call { name: string; kind: string; units: number; parameters: string[]; reads: string[][] }

export interface Looked {
  view: View; changes: View[]; title: string; loss: number | null; calls: Call[];
  input: { shape: number[]; values: number[]; names: string[] } | null;
  form: Form | null;
}

export interface Field { name: string; choices: string[]; usual: string }
export interface Form { fields: Field[]; whole: string; aim: string; classes: string[] }

export interface LessonLine { name: string; title: string }
export interface Lesson {
  name: string; title: string; minutes: number; question: string;
  pages: { text: string; views: View[] }[];
}
export interface Verdict { right: boolean; words: string }

export interface Change {
  inputs?: [number[], number][]; weights?: [string, number[], number][]; target?: [number[], number][];
}
