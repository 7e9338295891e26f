import { render } from "preact";
import { start } from "./live";
import { Shell } from "./shell";
import { followTheme } from "./theme";

followTheme();
void start();
const host = document.getElementById("app");
if (host) render(<Shell />, host);
