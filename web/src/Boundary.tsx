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
      <main role="alert">
        <h1>The page broke</h1>
        <p>Nothing that was answered or labelled is lost. Reload the page to go on.</p>
        <button type="button" onClick={() => window.location.reload()}>
          Reload
        </button>
      </main>
    );
  }
}
