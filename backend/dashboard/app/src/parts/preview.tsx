import { useEffect, useId, useRef, useState } from "react";
import { READY, type Scene, type View } from "../preview/scene";
import { ROOT } from "../router";
import type { Site } from "../site/model";
import { Select } from "./form";

const views: [View, string][] = [
  ["clock", "Clock"],
  ["warning", "Warning"],
  ["ended", "End"],
  ["refused", "No session"],
  ["maintenance", "Closed"],
];

/** The languages of the clock. */
export const languages: [string, string][] = [
  ["en", "English"],
  ["de", "Deutsch"],
  ["fr", "Français"],
  ["es", "Español"],
  ["pt", "Português"],
  ["ja", "日本語"],
  ["zh", "中文"],
  ["ar", "العربية"],
];

/** The user's typing is shown after this pause. */
const REST_MS = 150;

/** The clock and the pages of the gate as the settings make them, in light and dark. */
export function Preview({ name, site }: { name: string; site: Site }) {
  const [view, setView] = useState<View>("clock");
  const [language, setLanguage] = useState("en");
  const label = useId();
  const scene = { view, language, name, site };
  return (
    <section className="preview" aria-labelledby={label} data-testid="preview">
      <h2 id={label}>Preview</h2>
      <div className="segments">
        {views.map(([id, title]) => (
          <button key={id} type="button" aria-pressed={id === view} onClick={() => setView(id)}>
            {title}
          </button>
        ))}
      </div>
      <Stage dark={false} {...scene} />
      <Stage dark {...scene} />
      <Select label="Language" value={language} options={languages} onChoose={setLanguage} />
      <p className="hint">
        The gate's own clock and pages, for a session of an hour. Save to show them to visitors.
      </p>
    </section>
  );
}

/** One frame. It is only looked at: it takes no focus. */
function Stage(scene: Scene) {
  const frame = useRef<HTMLIFrameElement>(null);
  const [ready, setReady] = useState(false);
  const { view, dark } = scene;
  const text = JSON.stringify(scene);
  useEffect(() => {
    const hear = ({ source, data }: MessageEvent) => {
      if (source === frame.current?.contentWindow && data === READY) setReady(true);
    };
    addEventListener("message", hear);
    return () => removeEventListener("message", hear);
  }, []);
  useEffect(() => {
    if (!ready) return;
    // The frame has no origin to name.
    const timer = setTimeout(() => frame.current?.contentWindow?.postMessage(JSON.parse(text), "*"), REST_MS);
    return () => clearTimeout(timer);
  }, [ready, text]);
  const name = dark ? "Dark" : "Light";
  return (
    <figure>
      <figcaption className="hint">{name}</figcaption>
      <iframe
        ref={frame}
        src={`${ROOT}/preview`}
        title={`Preview, ${name.toLowerCase()}`}
        className={view === "refused" || view === "maintenance" ? "tall" : undefined}
        sandbox="allow-scripts"
        tabIndex={-1}
        inert
        data-ready={ready}
      />
    </figure>
  );
}
