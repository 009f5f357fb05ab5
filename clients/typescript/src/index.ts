export { createAuth } from './auth.js';
export type { Auth, AuthOptions, AuthState, AuthUser, RenewOptions, SignedOutReason, WaitOptions } from './auth.js';
export { documents } from './documents.js';
export type { Channel, Environment, Locks } from './environment.js';
export { AuthError } from './error.js';
export type { AuthErrorCode } from './error.js';
export * from './schema.js';
