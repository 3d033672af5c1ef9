import {
  defineComponent,
  h,
  onMounted,
  onUpdated,
  type PropType,
  type SlotsType,
  shallowRef,
  type VNode,
} from "vue";
import {
  actionsOf,
  adoptStyles,
  english,
  labelOf,
  type SessionAction,
  type SessionControlsLabels,
  type SessionControlsState,
} from "./controls";
import type { SDKError } from "./errors";
import type { MarketplaceSession } from "./session-vue";

/**
 * The type of {@link SessionControls}, as every version of Vue from 3.3 on reads it.
 *
 * @public
 */
export type SessionControlsComponent = new () => {
  $props: {
    /** What `useMarketplaceSession` returned. */
    source: MarketplaceSession;
    /** Your own texts. Default: English. */
    labels?: Partial<SessionControlsLabels> | undefined;
  };
  $slots: { default?: (state: SessionControlsState) => VNode[] };
};

/**
 * The time left and the actions that the session offers: more time, pause, resume, end. The default
 * slot renders them in your own way. Pass what `useMarketplaceSession` returned as `source`.
 *
 * @public
 */
export const SessionControls: SessionControlsComponent = defineComponent({
  name: "SessionControls",
  props: {
    source: { type: Object as PropType<MarketplaceSession>, required: true },
    labels: { type: Object as PropType<Partial<SessionControlsLabels>>, default: undefined },
  },
  slots: Object as SlotsType<{ default?: SessionControlsState }>,
  setup(props, { slots }) {
    const pending = shallowRef<SessionAction | null>(null);
    const error = shallowRef<SDKError | null>(null);
    const element = shallowRef<HTMLElement | null>(null);
    const style = () => adoptStyles(element.value);
    onMounted(style);
    onUpdated(style);

    async function run(action: SessionAction) {
      if (pending.value) return;
      pending.value = action;
      error.value = null;
      try {
        await props.source[`${action}Session`]();
      } catch (failed) {
        error.value = failed as SDKError;
      }
      pending.value = null;
    }

    return () => {
      const { source } = props;
      const session = source.session.value;
      const formattedTime = source.formattedTime.value;
      const actions = actionsOf(session);
      if (slots.default)
        return slots.default({
          session,
          remainingTime: source.remainingTime.value,
          formattedTime,
          actions,
          pending: pending.value,
          error: error.value,
          run,
        });
      if (!session || session.status === "ended") return null;
      const labels = { ...english, ...props.labels };
      return h(
        "div",
        { ref: element, role: "group", "aria-label": labels.group, class: "sessiongate-controls" },
        [
          h("b", { role: "timer" }, formattedTime),
          ...actions.map((action) =>
            h(
              "button",
              {
                key: action,
                type: "button",
                "aria-disabled": `${!!pending.value}`,
                onClick: () => void run(action),
              },
              labelOf(action, labels, session),
            ),
          ),
          h("p", { role: "status" }, error.value ? labels.failed : ""),
        ],
      );
    };
  },
}) as unknown as SessionControlsComponent;
