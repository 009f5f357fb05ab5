// When a request may be repeated with a new token: the rule that all adapters share.

/** What is known of an operation before it is sent. */
export interface Operation {
  /** Whether to run it twice may do something twice. */
  readonly changes: boolean;
  /** How many fields it has at its root, `__typename` apart; undefined where that is not known. */
  readonly fields: number | undefined;
}

interface Answer {
  readonly data?: unknown;
  readonly errors?: readonly AnswerError[] | undefined;
}

interface AnswerError {
  readonly path?: readonly (string | number)[] | undefined;
  readonly extensions?: { readonly [name: string]: unknown } | undefined;
}

/** A refusal for want of a valid token, after which the operation may be sent again. */
export interface Refusal {
  /** `extensions.reason`: a TokenProblem, or undefined where the server does not say. */
  readonly reason: unknown;
}

/**
 * refusalOf tells whether fields of an answer were refused with UNAUTHENTICATED, and the operation can be repeated as a
 * whole. A query always can. A mutation can where every field at its root was refused: a guard stands before the field,
 * and nothing of it has run. Where one field has run, or may have, it cannot.
 */
export function refusalOf(answer: Answer, operation: Operation): Refusal | null {
  const refused = (answer.errors ?? []).filter((error) => error.extensions?.code === 'UNAUTHENTICATED');
  const first = refused[0];
  if (!first) return null;
  if (operation.changes) {
    const fields = new Set(refused.filter((error) => error.path?.length === 1).map((error) => error.path![0]));
    const all =
      operation.fields ??
      (answer.data ? Object.keys(answer.data).filter((key) => key !== '__typename').length : undefined);
    if (fields.size === 0 || fields.size !== all) return null;
  }
  return { reason: first.extensions?.reason };
}

interface Definition {
  readonly kind: string;
  readonly operation?: string;
  readonly name?: { readonly value: string } | undefined;
  readonly selectionSet?: { readonly selections: readonly Selection[] };
}

interface Selection {
  readonly kind: string;
  readonly name?: { readonly value: string };
}

/** operationOf reads a parsed document. */
export function operationOf(document: { readonly definitions?: readonly unknown[] }, name?: string): Operation {
  const operations = ((document.definitions ?? []) as Definition[]).filter((d) => d.kind === 'OperationDefinition');
  const found = operations.length === 1 ? operations[0] : operations.find((d) => d.name?.value === name);
  if (!found) return { changes: true, fields: undefined };
  const fields = (found.selectionSet?.selections ?? []).filter(({ name }) => name?.value !== '__typename');
  const known = fields.length > 0 && fields.every(({ kind }) => kind === 'Field');
  return { changes: found.operation !== 'query', fields: known ? fields.length : undefined };
}
