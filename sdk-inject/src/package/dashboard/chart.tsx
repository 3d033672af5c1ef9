import { type ReactElement, useId } from "react";
import { formatters, useStyleSheet } from "./style";
import { type DashboardWords, en } from "./words";

/**
 * The props of {@link DayChart}.
 *
 * @public
 */
export interface DayChartProps {
  /** The heading of the chart. */
  title: string;
  /** The values by day, in order. */
  days: { date: string; value: number }[];
  /** What is counted; sets the color of the bars. Default: `count`. */
  kind?: "count" | "tokens" | undefined;
  /** The language of numbers and dates, as a BCP 47 tag. Default: the browser's. */
  language?: string | undefined;
  /** Replaces texts, for example to translate them. */
  words?: Partial<DashboardWords> | undefined;
}

const HEIGHT = 100;
const STEP = 10;
const GAP = 2;

/** Rounds up to 1, 2 or 5 times a power of ten, for the top of the scale. */
export function scaleOf(most: number): number {
  if (most <= 2) return 2;
  const size = 10 ** Math.floor(Math.log10(most));
  return [1, 2, 5, 10].map((n) => n * size).find((top) => top >= most) ?? most;
}

/**
 * A bar chart. The same data can be shown as a table, for users who cannot see the chart.
 *
 * @public
 */
export function DayChart({ title, days, kind = "count", language, words }: DayChartProps): ReactElement {
  const root = useStyleSheet<HTMLElement>();
  const id = useId();
  const say = { ...en, ...words };
  const { number, day } = formatters(language);
  const total = days.reduce((sum, { value }) => sum + value, 0);
  const most = days.reduce((best, one) => (one.value > best.value ? one : best), { date: "", value: 0 });
  const summary = total ? say.summary(number(total), number(most.value), day(most.date)) : say.nothing;
  const top = scaleOf(most.value);
  const width = Math.max(1, days.length) * STEP;
  return (
    <figure ref={root} className="sgd-panel" aria-labelledby={`${id}t`} data-testid={`chart-${kind}`}>
      <figcaption>
        <h3 id={`${id}t`}>{title}</h3>
        <span className="sgd-note">{summary}</span>
      </figcaption>
      <div className="sgd-plot">
        <div className="sgd-scale" aria-hidden="true">
          <span>{number(top)}</span>
          <span>{number(top / 2)}</span>
          <span>0</span>
        </div>
        <svg
          viewBox={`0 0 ${width} ${HEIGHT}`}
          preserveAspectRatio="none"
          role="img"
          aria-label={`${title}. ${summary}`}
        >
          {[0, HEIGHT / 2, HEIGHT].map((y) => (
            <line key={y} className="sgd-line" x1={0} x2={width} y1={y} y2={y} />
          ))}
          {days.map(({ date, value }, i) => {
            const height = (value / top) * HEIGHT;
            return (
              <g key={date}>
                <rect
                  className={kind === "tokens" ? "sgd-coin" : "sgd-bar"}
                  x={i * STEP + GAP / 2}
                  y={HEIGHT - height}
                  width={STEP - GAP}
                  height={height}
                />
                <rect className="sgd-hit" x={i * STEP} y={0} width={STEP} height={HEIGHT}>
                  <title>{`${day(date)}: ${number(value)}`}</title>
                </rect>
              </g>
            );
          })}
        </svg>
        <div className="sgd-days" aria-hidden="true">
          <span>{days[0] && day(days[0].date)}</span>
          <span>{days.length > 1 && day(days[days.length - 1]?.date ?? "")}</span>
        </div>
      </div>
      <details>
        <summary>{say.asTable}</summary>
        {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a scrollable region must be focusable */}
        <section className="sgd-scroll" aria-label={title} tabIndex={0}>
          <table>
            <thead>
              <tr>
                <th scope="col">{say.day}</th>
                <th scope="col" className="sgd-number">
                  {say.count}
                </th>
              </tr>
            </thead>
            <tbody>
              {days.map(({ date, value }) => (
                <tr key={date}>
                  <th scope="row">{day(date)}</th>
                  <td className="sgd-number">{number(value)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </section>
      </details>
    </figure>
  );
}
