interface ImportMetaEnv {
  /** Where Latchkey is, if not behind the origin of the page. */
  readonly VITE_LATCHKEY_URL?: string;
}
