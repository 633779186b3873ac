/** What is left of the page when a part of it breaks, or when its files are of another version than itself. */

import { Component, type ReactNode } from "react";

export class Boundary extends Component<{ children: ReactNode }, { broken: boolean }> {
  override state = { broken: false };

  static getDerivedStateFromError() {
    return { broken: true };
  }

  override render() {
    if (!this.state.broken) return this.props.children;
    return (
      <section role="alert">
        <h1>This broke</h1>
        <p>
          Reload the page to go on. Every answer is stored and labels are kept, but save a batch first that was not
          downloaded: what this tab holds of it goes.
        </p>
        <button type="button" onClick={() => window.location.reload()}>
          Reload
        </button>
      </section>
    );
  }
}
