export * from "./api/EdgekitAPI.js";
export * from "./core/types.js";
