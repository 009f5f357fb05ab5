// The operations of the application, typed by the schema. With many of them, generate the types: docs/codegen.md.

import { gql } from '@apollo/client';
import type { TypedDocumentNode } from '@apollo/client';
import type { Mutation, MutationSessionRevokeArgs, Role, Session, User } from '@latchkey/client';

export type OwnSession = Pick<
  Session,
  'id' | 'createdAt' | 'lastUsedAt' | 'userAgent' | 'ipAddress' | 'isCurrent'
>;

export interface Account {
  protected: string | null;
  me:
    | (Pick<User, 'id' | 'username' | 'email' | 'firstName' | 'lastName' | 'lastLogin'> & {
        roles: Pick<Role, 'name'>[];
        sessions: OwnSession[];
      })
    | null;
}

export const accountQuery: TypedDocumentNode<Account, Record<string, never>> = gql`
  query Account {
    protected
    me {
      id
      username
      email
      firstName
      lastName
      lastLogin
      roles {
        name
      }
      sessions {
        id
        createdAt
        lastUsedAt
        userAgent
        ipAddress
        isCurrent
      }
    }
  }
`;

export const endSessionMutation: TypedDocumentNode<Pick<Mutation, 'sessionRevoke'>, MutationSessionRevokeArgs> = gql`
  mutation EndSession($id: ID!) {
    sessionRevoke(id: $id)
  }
`;
