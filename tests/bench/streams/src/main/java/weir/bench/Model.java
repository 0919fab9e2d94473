package weir.bench;

/** What the topics of the order system hold, as JSON. */
final class Model {
    private Model() {}

    enum State { CREATED, VALIDATED, FAILED, SHIPPED }

    enum Product { JUMPERS, UNDERPANTS, STOCKINGS }

    enum Check { INVENTORY_CHECK, FRAUD_CHECK, ORDER_DETAILS_CHECK }

    enum Result {
        PASS, FAIL;

        static Result of(boolean passed) {
            return passed ? PASS : FAIL;
        }
    }

    record Order(
            String id, long customerId, State state, Product product, int quantity, double price) {
        Order in(State next) {
            return new Order(id, customerId, next, product, quantity, price);
        }

        Validation validation(Check check, boolean passed) {
            return new Validation(id, check, Result.of(passed));
        }
    }

    record Validation(String orderId, Check checkType, Result validationResult) {}

    record Payment(String id, String orderId, String ccy, double amount) {}

    record Customer(
            long id,
            String firstName,
            String lastName,
            String email,
            String address,
            String level) {}

    record OrderEnriched(String id, long customerId, String customerLevel) {}

    /** What a customer has ordered in a session: the last order, and the value of all. */
    record Spent(Order last, double value) {}

    /** What a mail is made of. */
    record Mail(Order order, Payment payment, Customer customer) {}
}
