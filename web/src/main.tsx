import "@mantine/core/styles.css";
import "./style.css";

import { createTheme, MantineProvider } from "@mantine/core";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";

import { asApiError } from "./api/errors";
import { App } from "./App";
import { ErrorBoundary } from "./ErrorBoundary";

const theme = createTheme({
  primaryColor: "blue",
  fontFamily: "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif",
  fontFamilyMonospace: "ui-monospace, SFMono-Regular, Menlo, monospace",
  defaultRadius: "md",
  cursorType: "pointer",
});

const queryClient = new QueryClient({
  defaultOptions: {
    // Also offline: a request that fails with a message is better than one that waits silently.
    mutations: { networkMode: "always" },
    queries: {
      networkMode: "always",
      retry: (failures, error) => failures < 2 && asApiError(error).temporary,
      staleTime: 5_000,
      refetchOnWindowFocus: false,
    },
  },
});

const root = document.getElementById("root");
if (root) {
  createRoot(root).render(
    <StrictMode>
      {/* style.css has the rules that Mantine would write into style elements: the CSP allows no inline styles. */}
      <MantineProvider theme={theme} defaultColorScheme="auto" withCssVariables={false} withGlobalClasses={false}>
        <QueryClientProvider client={queryClient}>
          <ErrorBoundary>
            <App />
          </ErrorBoundary>
        </QueryClientProvider>
      </MantineProvider>
    </StrictMode>,
  );
}
