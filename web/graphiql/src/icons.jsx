// The icons of the panes, drawn like GraphiQL's own: 24 by 24, in the colour of the text.
function Icon({ children, ...props }) {
  return (
    <svg viewBox="0 0 24 24" height="1em" fill="none" stroke="currentColor" strokeWidth="1.5" strokeLinecap="round" strokeLinejoin="round" {...props}>
      {children}
    </svg>
  );
}

export function KeyIcon(props) {
  return (
    <Icon {...props}>
      <circle cx="8" cy="15" r="5" />
      <path d="M11.5 11.5 21 2M15.5 7.5l3 3M18.5 4.5l2 2" />
    </Icon>
  );
}

export function ShieldIcon(props) {
  return (
    <Icon {...props}>
      <path d="M12 2 4 5v6c0 5 3.4 9 8 11 4.6-2 8-6 8-11V5z" />
      <path d="m8.5 12 2.5 2.5 4.5-5" />
    </Icon>
  );
}
