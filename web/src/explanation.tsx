// What a code means, in a dialog over the page.
import { useEffect, useRef } from "preact/hooks";
import type { JSX } from "preact";
import { get } from "./api";
import type { Explained } from "./api";
import { code } from "./explaining";
import { Paste, Refused, useAnswer } from "./parts";

function Page(props: { code: string }): JSX.Element | null {
  const { value, error } = useAnswer(() => get<Explained>(`/api/explain/${encodeURIComponent(props.code)}`), [props.code]);
  if (error) return <Refused error={error} />;
  if (!value) return null;
  return (
    <>
      <p class="eyebrow">{value.code} {"\u00b7"} {value.family}{value.severity ? `, ${value.severity}` : ""}</p>
      <h2 id="explained">{value.title}</h2>
      <p>{value.means}</p>
      {value.why ? <><h3>Why</h3><p>{value.why}</p></> : null}
      {value.looks ? <><h3>How it looks</h3><p>{value.looks}</p></> : null}
      {value.setting || value.python ? <h3>What to change</h3> : null}
      {value.setting ? <Paste label="run.toml" text={value.setting} /> : null}
      {value.python ? <Paste label="try" text={value.python} /> : null}
    </>
  );
}

export function Explanation(): JSX.Element {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    if (code.value && !dialog.current?.open) dialog.current?.showModal();
  }, [code.value]);
  return (
    <dialog ref={dialog} aria-labelledby="explained" onClose={() => (code.value = "")}
      onClick={(e) => { if (e.target === dialog.current) dialog.current?.close(); }}>
      {code.value ? <div class="explained">
        <Page code={code.value} />
        <form method="dialog"><button>Close</button></form>
      </div> : null}
    </dialog>
  );
}
