// What reports draw too: the server makes it once for both, as HTML in which every text is escaped
// (src/chainrule/markup.py). Here it is put into the page, and nowhere else.
import type { JSX } from "preact";

export function Reported(props: { html: string }): JSX.Element {
  return <div class="reported" dangerouslySetInnerHTML={{ __html: props.html }} />;
}
