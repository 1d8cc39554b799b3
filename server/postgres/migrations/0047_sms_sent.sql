CREATE TABLE "sms_sent" (
	"month" text NOT NULL,
	"tenant" text NOT NULL,
	"sent" integer NOT NULL,
	CONSTRAINT "sms_sent_month_tenant_pk" PRIMARY KEY("month","tenant")
);
