const state = document.querySelector("#state");
const notes = document.querySelector("#notes");

const sdk = new MarketplaceSDK.MarketplaceSDK({
  apiEndpoint: location.origin, // serve.mjs passes /api on
  customStyles: { primaryColor: "#5b3fd1" },
  onBeforeEnd: () => localStorage.setItem("notes", notes.value),
});

notes.value = localStorage.getItem("notes") ?? "";
sdk.on("onSessionWarning", ({ remainingSeconds }) => console.log(`${remainingSeconds} s left`));
sdk.on("onError", (error) => {
  state.textContent = `${error.code}: ${error.message}`;
});
sdk.subscribe(() => {
  state.textContent = `${sdk.getFormattedTime()} left of ${sdk.getSessionData()?.tokensAllocated} tokens`;
});

document.querySelector("#extend").onclick = () => sdk.extend().catch(show);
document.querySelector("#end").onclick = () => sdk.endSession().catch(show);
sdk.initialize().catch(show);

function show(error) {
  state.textContent = `${error.code}: ${error.message}`;
}
