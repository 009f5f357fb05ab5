import { Kind, parse } from 'graphql';

import { createStore } from './store.js';

// createAccess returns what the schema says about who may ask for what. `readSDL` gets the schema, with its directives.
//
// The store holds { fields, reason }: the fields are null until they are known, and the reason says why they are not.
export function createAccess({ readSDL }) {
  const store = createStore({ fields: null, reason: null });

  return {
    get: store.get,
    subscribe: store.subscribe,

    // describe reads the SDL, and returns the answer to an introspection with the requirement of each field at the
    // beginning of its description. Without the SDL it returns the answer as it is.
    async describe(answer) {
      try {
        const fields = requirements(await readSDL());
        store.set({ fields, reason: null });
        return withRequirements(answer, fields);
      } catch (error) {
        store.set({ fields: null, reason: `The schema with its directives cannot be read: ${error.message}.` });
        return answer;
      }
    },

    // hide says why there is nothing to show.
    hide: (reason) => store.set({ fields: null, reason }),
  };
}

// requirements lists the fields that bear @auth or @public, by themselves or by their type: { type, name, needs }, where
// `needs` is { signedIn, permissions }.
export function requirements(sdl) {
  const isObject = ({ kind }) => kind === Kind.OBJECT_TYPE_DEFINITION || kind === Kind.OBJECT_TYPE_EXTENSION;
  return parse(sdl, { noLocation: true })
    .definitions.filter(isObject)
    .flatMap((type) =>
      (type.fields ?? []).map((field) => ({
        type: type.name.value,
        name: field.name.value,
        needs: needsOf([...field.directives, ...type.directives]),
      })),
    )
    .filter(({ needs }) => needs);
}

function needsOf(directives) {
  const guards = directives.filter(({ name }) => name.value === 'auth');
  if (guards.length > 0) {
    const permissions = guards.flatMap((guard) => guard.arguments).map(({ value }) => value.value);
    return { signedIn: true, permissions: permissions.filter(Boolean) };
  }
  return directives.some(({ name }) => name.value === 'public') ? { signedIn: false, permissions: [] } : null;
}

// needsText names what a field needs.
export function needsText({ signedIn, permissions }) {
  if (!signedIn) return 'public';
  return permissions.join(', ') || 'signed in';
}

// mayAsk reports whether a user may ask for a field; null stands for nobody.
export function mayAsk({ signedIn, permissions }, user) {
  if (!signedIn) return true;
  return user !== null && (user.isSuperuser || permissions.every((name) => user.permissions.includes(name)));
}

function withRequirements(answer, fields) {
  const needs = new Map(fields.map((field) => [`${field.type}.${field.name}`, field.needs]));
  const describe = (type) => (field) => {
    const found = needs.get(`${type.name}.${field.name}`);
    return found ? { ...field, description: `**${mark(found)}** ${field.description ?? ''}` } : field;
  };
  const types = answer.data.__schema.types.map((type) => ({ ...type, fields: type.fields?.map(describe(type)) ?? null }));
  return { ...answer, data: { ...answer.data, __schema: { ...answer.data.__schema, types } } };
}

function mark({ signedIn, permissions }) {
  if (!signedIn) return 'Public.';
  if (permissions.length === 0) return 'Needs sign-in.';
  return `Needs ${permissions.map((name) => `\`${name}\``).join(' and ')}.`;
}
