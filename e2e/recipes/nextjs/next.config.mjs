// The workspace is the folder whose packages this app uses.
export default { turbopack: { root: new URL("..", import.meta.url).pathname } };
