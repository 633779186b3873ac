import "@mantine/core/styles.css";
import "./style.css";

import { createTheme, MantineProvider } from "@mantine/core";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";

import { asApiError } from "./api/errors";
import { App } from "./App";
import { Boundary } from "./Boundary";

const theme = createTheme({
  primaryColor: "blue",
  fontFamily: "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif",
  fontFamilyMonospace: "ui-monospace, SFMono-Regular, Menlo, monospace",
  defaultRadius: "md",
  cursorType: "pointer",
});

const queries = new QueryClient({
  defaultOptions: {
    // Offline too: a request that waits unseen is worse than one that fails and says why.
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
      {/* What Mantine would write into style elements is in style.css: the policy allows no inline style. */}
      <MantineProvider theme={theme} defaultColorScheme="auto" withCssVariables={false} withGlobalClasses={false}>
        <QueryClientProvider client={queries}>
          <Boundary>
            <App />
          </Boundary>
        </QueryClientProvider>
      </MantineProvider>
    </StrictMode>,
  );
}
