import { useId } from "react";
import { AA, contrastOf, shadesOf } from "../../../../../sdk-inject/src/contrast";
import { Field, Radios, Select, Tick } from "../parts/form";
import { languages } from "../parts/preview";
import { Lockable, SettingPanel, type SiteFormProps } from "./form";

/** The color of the clock and pages of a site that sets none. */
const OWN_ACCENT = "#0f6b5c";

export function BrandPanel({ site, set, errors, locked }: SiteFormProps) {
  const { brand } = site;
  const change = (part: Partial<typeof brand>) => set({ brand: { ...brand, ...part } });
  return (
    <SettingPanel
      id="brand"
      title="Brand"
      note="The gate's pages and the clock carry your name and colors. Visitors see them when they have no session, and at its end."
    >
      <Lockable locked={locked.includes("brand")}>
        <Field
          label="App name"
          max={300}
          value={brand.app_name}
          error={errors["brand.app_name"]}
          onInput={(app_name) => change({ app_name })}
          hint="Empty: the host that the visitor opened."
        />
        <Field
          label="Logo"
          type="url"
          value={brand.logo_url}
          error={errors["brand.logo_url"]}
          onInput={(logo_url) => change({ logo_url })}
          placeholder="https://www.example.com/logo.png"
          hint="The https address of a square picture; it is shown at 40 × 40. Empty: the first letter of the name."
        />
        <Field
          label="Shop"
          type="url"
          value={brand.shop_url}
          error={errors["brand.shop_url"]}
          onInput={(shop_url) => change({ shop_url })}
          placeholder="https://market.example.com/apps/yours"
          hint="Where visitors buy a session. Empty: the marketplace."
        />
        <Field
          label="Support"
          type="url"
          value={brand.support_url}
          error={errors["brand.support_url"]}
          onInput={(support_url) => change({ support_url })}
          placeholder="https://www.example.com/help"
          hint="Linked from the pages and from the clock. Empty: no link."
        />
        <AccentField
          value={brand.accent}
          error={errors["brand.accent"]}
          onChange={(accent) => change({ accent })}
        />
      </Lockable>
    </SettingPanel>
  );
}

interface AccentProps {
  value: string;
  error: string | undefined;
  onChange: (value: string) => void;
}

/** A color, by picker or by its code, and how it stays readable. */
function AccentField({ value, error, onChange }: AccentProps) {
  const id = useId();
  const [light, dark] = shadesOf(value || OWN_ACCENT) ?? [];
  return (
    <div className="accent">
      <div className="accent-pick">
        <Field
          label="Accent color"
          value={value}
          error={error}
          onInput={(text) => onChange(text.trim().toLowerCase())}
          placeholder={OWN_ACCENT}
          hint="Buttons, links and the ring of the clock. Empty: our green."
        />
        <label htmlFor={id}>
          <span className="hidden">Pick the accent color</span>
          <input
            id={id}
            type="color"
            value={light ? value || OWN_ACCENT : OWN_ACCENT}
            onInput={(event: Event) => onChange((event.target as HTMLInputElement).value)}
          />
        </label>
      </div>
      {light && dark && (
        <ul className="contrast" data-testid="contrast" aria-live="polite">
          <Swatch fill={light.fill} ink={light.ink} name="Button" />
          <Swatch fill="#ffffff" ink={light.text} name="Light page" moved={light.text !== light.fill} />
          <Swatch fill="#1b1e23" ink={dark.text} name="Dark page" moved={dark.text !== dark.fill} />
        </ul>
      )}
    </div>
  );
}

function Swatch({ fill, ink, name, moved }: { fill: string; ink: string; name: string; moved?: boolean }) {
  const contrast = contrastOf(fill, ink);
  return (
    <li>
      <span className="swatch" style={{ background: fill, color: ink }} aria-hidden="true">
        Aa
      </span>
      <span>
        <span className="strong">{name}</span>{" "}
        <span className="muted">
          {contrast.toFixed(1)} : 1, {contrast >= AA ? "readable (WCAG AA)" : "hard to read"}
          {moved && `; shown as ${ink}`}
        </span>
      </span>
    </li>
  );
}

export function ClockPanel({ site, set, errors, locked }: SiteFormProps) {
  const { clock } = site;
  const change = (part: Partial<typeof clock>) => set({ clock: { ...clock, ...part } });
  const setText = (language: string, part: { warning?: string; ended?: string }) =>
    change({
      texts: { ...clock.texts, [language]: { warning: "", ended: "", ...clock.texts[language], ...part } },
    });
  const others = languages.filter(([language]) => !(language in clock.texts));
  return (
    <SettingPanel
      id="clock"
      title="Clock"
      note="How the clock looks when a page opens. Users can move it and collapse it; their choice wins."
    >
      <Lockable locked={locked.includes("inject")}>
        <Tick
          label="Add the clock to pages"
          hint="Default: on. Off: the gate changes no page, and users see no time and no warning."
          on={site.inject !== "off"}
          onTick={(on) => set({ inject: on ? "on" : "off" })}
        />
      </Lockable>
      <Lockable locked={locked.includes("clock")}>
        <Select
          label="Place"
          value={clock.position}
          options={[
            ["bottom-right", "Bottom right (default)"],
            ["bottom-left", "Bottom left"],
            ["top-right", "Top right"],
            ["top-left", "Top left"],
          ]}
          onChoose={(position) => change({ position })}
        />
        <Radios
          label="At first"
          value={clock.hidden ? "hidden" : clock.collapsed ? "collapsed" : "shown"}
          onChoose={(at) => change({ hidden: at === "hidden", collapsed: at === "collapsed" })}
          options={[
            ["shown", "Show the time", "The default."],
            [
              "collapsed",
              "Collapse it to its ring",
              "It shows the time in the last five minutes, and when it is opened.",
            ],
            ["hidden", "Hide it", "Warnings and the end are shown all the same."],
          ]}
        />
        <fieldset className="texts">
          <legend>Texts</legend>
          <p className="hint">
            Your own words in place of “Save your work.” in the warning and “Your time is up.” at the end, by
            the language of the page. Empty: ours.
          </p>
          {Object.entries(clock.texts).map(([language, texts]) => {
            const name = languages.find(([id]) => id === language)?.[1] ?? language;
            return (
              <div key={language} className="text" data-language={language}>
                <div className="panel-head">
                  <h3>{name}</h3>
                  <button
                    type="button"
                    className="small"
                    onClick={() => {
                      const { [language]: _, ...rest } = clock.texts;
                      change({ texts: rest });
                    }}
                  >
                    Remove<span className="hidden"> {name}</span>
                  </button>
                </div>
                <Field
                  label={`Warning in ${name}`}
                  max={300}
                  value={texts.warning}
                  error={errors[`clock.texts.${language}.warning`]}
                  onInput={(warning) => setText(language, { warning })}
                />
                <Field
                  label={`End in ${name}`}
                  max={300}
                  value={texts.ended}
                  error={errors[`clock.texts.${language}.ended`]}
                  onInput={(ended) => setText(language, { ended })}
                />
              </div>
            );
          })}
          {errors["clock.texts"] && <p className="field-error">{errors["clock.texts"]}</p>}
          {others.length > 0 && (
            <select
              aria-label="Add texts in a language"
              value=""
              onChange={(event: Event) => {
                const { value } = event.target as HTMLSelectElement;
                if (value) setText(value, { warning: "", ended: "" });
              }}
            >
              <option value="">Add texts in…</option>
              {others.map(([language, name]) => (
                <option key={language} value={language}>
                  {name}
                </option>
              ))}
            </select>
          )}
        </fieldset>
      </Lockable>
    </SettingPanel>
  );
}
