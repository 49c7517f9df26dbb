export { EdgekitAPI } from "./api/EdgekitAPI.js";
export { microphone } from "./core/sound.js";
