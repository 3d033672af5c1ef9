import("./__DIALOG__").catch(() => undefined);
