package weir.bench;

import java.util.HashMap;
import java.util.Map;

/** The command line: a workload, then pairs `--name value`; `--set key=value` may come often. */
final class Options {
    private final String workload;
    private final Map<String, String> values = new HashMap<>();
    private final Map<String, String> settings = new HashMap<>();

    Options(String[] arguments) {
        if (arguments.length % 2 == 0) {
            throw new IllegalArgumentException("usage: WORKLOAD [--name value]...");
        }
        workload = arguments[0];
        for (int i = 1; i < arguments.length; i += 2) {
            String name = arguments[i].replaceFirst("^--", "");
            String value = arguments[i + 1];
            if (name.equals("set")) {
                String[] pair = value.split("=", 2);
                settings.put(pair[0], pair[1]);
            } else {
                values.put(name, value);
            }
        }
    }

    String workload() {
        return workload;
    }

    String text(String name) {
        String value = values.get(name);
        if (value == null) {
            throw new IllegalArgumentException("--" + name + " is missing");
        }
        return value;
    }

    /** What goes to Kafka Streams as it is. */
    Map<String, String> settings() {
        return settings;
    }
}
