// The door of oci/: all types and parsers of the image formats.

export * from "./config.js";
export * from "./descriptor.js";
export * from "./json.js";
export * from "./manifest.js";
export * from "./media-type.js";
export * from "./platform.js";
export * from "./reference.js";
