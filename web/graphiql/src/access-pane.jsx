import { DOC_EXPLORER_PLUGIN, useDocExplorerActions } from '@graphiql/plugin-doc-explorer';
import { useGraphiQL, useGraphiQLActions } from '@graphiql/react';
import { useId, useState } from 'react';

import { mayAsk, needsText } from './access.js';
import { useStore } from './store.js';

// createAccessPane returns the pane that lists which field is for whom, and what of it is for the user.
export function createAccessPane(access, session) {
  return function AccessPane() {
    const { fields, reason } = useStore(access);
    return (
      <section className="latchkey-pane" aria-labelledby="latchkey-access">
        <h2 id="latchkey-access">Access</h2>
        {fields && <Fields fields={fields} session={session} />}
        {!fields && <p role="status">{reason ?? 'Reading the schema …'}</p>}
      </section>
    );
  };
}

function Fields({ fields, session }) {
  const id = useId();
  const [filter, setFilter] = useState('');
  const { pair } = useStore(session);
  const found = fields.filter((field) => matches(field, filter));
  const types = [...new Set(['Query', 'Mutation', ...found.map(({ type }) => type)])];

  return (
    <>
      <p>
        What each field needs, and whether {pair ? <strong>{pair.user.username}</strong> : 'a caller who is not signed in'} is
        allowed to ask for it.
      </p>
      <div className="latchkey-form">
        <label htmlFor={`${id}-filter`}>Filter by name or permission</label>
        <input id={`${id}-filter`} type="search" value={filter} onChange={(event) => setFilter(event.target.value)} />
      </div>
      <p role="status" className="latchkey-note">
        {found.length} of {fields.length} fields
      </p>
      {types.filter((type) => found.some((field) => field.type === type)).map((type) => (
        <table key={type} className="latchkey-table latchkey-fields">
          <caption>{type}</caption>
          <thead>
            <tr>
              <th scope="col">Field</th>
              <th scope="col">Needs</th>
              <th scope="col">Allowed</th>
            </tr>
          </thead>
          <tbody>
            {found
              .filter((field) => field.type === type)
              .map((field) => (
                <Row key={field.name} field={field} user={pair?.user ?? null} />
              ))}
          </tbody>
        </table>
      ))}
    </>
  );
}

function Row({ field: { type, name, needs }, user }) {
  const open = useDocumentation();
  const may = mayAsk(needs, user);
  return (
    <tr>
      <th scope="row">
        <button className="latchkey-link" onClick={() => open(type, name)}>
          {name}
        </button>
      </th>
      <td>
        <span className={`latchkey-badge ${needs.signedIn ? '' : 'latchkey-open'}`}>{needsText(needs)}</span>
      </td>
      <td className={may ? 'latchkey-yes' : 'latchkey-no'}>{may ? 'yes' : 'no'}</td>
    </tr>
  );
}

// useDocumentation returns a function that opens the documentation at a field.
function useDocumentation() {
  const schema = useGraphiQL((state) => state.schema);
  const { setVisiblePlugin } = useGraphiQLActions();
  const { reset, push } = useDocExplorerActions();
  return (typeName, fieldName) => {
    const type = schema?.getType(typeName);
    if (!type) return;
    reset();
    push({ name: typeName, def: type });
    push({ name: fieldName, def: type.getFields()[fieldName] });
    setVisiblePlugin(DOC_EXPLORER_PLUGIN);
  };
}

function matches({ type, name, needs }, filter) {
  const text = `${type}.${name} ${needsText(needs)}`.toLowerCase();
  return filter
    .toLowerCase()
    .split(/\s+/)
    .every((word) => text.includes(word));
}
