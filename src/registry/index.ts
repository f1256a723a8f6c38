// The door of registry/.

export type { KnownBlob, MountResult, UploadedBlob } from "./blob-upload.js";
export { eraseCredential, type StoredCredential, storeCredential } from "./credentials.js";
export { configDirectory, readDockerConfig } from "./docker-config.js";
export { proveCredential } from "./login.js";
export type { ConnectionOptions, Credential, Patience } from "./options.js";
export { type RemoteDocument, Repository } from "./repository.js";
export { type FoundRepository, searchRepositories } from "./search.js";
export { RegistrySession } from "./session.js";
export { isWebAddress, openWebFile, type WebFile } from "./web-file.js";
